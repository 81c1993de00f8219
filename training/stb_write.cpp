// The code of the stb library that writes PNG, alone in its file because the compiler warns about it.
#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb/stb_image_write.h>
