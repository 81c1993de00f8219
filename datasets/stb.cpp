// The code of the stb libraries that read and resize pictures, alone in its file: the compiler's warnings and
// the sanitizer of undefined behaviour are off for it (CMakeLists.txt), as it shifts signed numbers on
// purpose.
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS 16384
#define STB_IMAGE_IMPLEMENTATION
#include <stb/stb_image.h>

#define STB_IMAGE_RESIZE_IMPLEMENTATION
#include <stb/stb_image_resize.h>
