// Nothing: the object file that the precompiled prefix.h belongs to.
