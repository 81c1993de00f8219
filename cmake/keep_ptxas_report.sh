#!/bin/sh
# Launches nvcc and keeps what ptxas says about each kernel (registers, stack, spills) beside the object file, in
# OBJECT.ptxas, instead of on the screen.
object= previous=
for argument in "$@"; do
  [ "$previous" = -o ] && object=$argument
  previous=$argument
done
"$@" 2>"$object.stderr"
code=$?
pattern='^ptxas info|bytes stack frame'
grep -E "$pattern" "$object.stderr" >"$object.ptxas"
grep -vE "$pattern" "$object.stderr" >&2
rm -f "$object.stderr"
exit $code
