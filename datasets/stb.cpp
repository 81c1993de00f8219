// The code of the stb libraries that read and resize pictures, alone in its file: the compiler's warnings and
// the sanitizer of undefined behaviour are off for it (CMakeLists.txt), as it shifts signed numbers on
// purpose.
#include <cstddef>
#include <cstdlib>

namespace {

// The largest picture that is let through, 2^26 pixels of four 16-bit channels, needs half of it. More is
// asked for only by a damaged or malicious file: a chunk that claims gigabytes, data that inflates without
// end.
constexpr std::size_t kMostBytes = std::size_t{1} << 30;

/// Zeroed: a damaged JPEG makes the decoder use Huffman tables that it never got, and zeros are harmless
/// there.
void* allocate(std::size_t size) {
  return size > kMostBytes ? nullptr : std::calloc(1, size);
}

void* reallocate(void* pointer, std::size_t size) {
  return size > kMostBytes ? nullptr : std::realloc(pointer, size);
}

}  // namespace

#define STBI_MALLOC(size) allocate(size)
#define STBI_REALLOC(pointer, size) reallocate(pointer, size)
#define STBI_FREE(pointer) std::free(pointer)
// A failed assertion is a damaged file, not a reason to end the program; the decoder goes on and returns an
// error or a damaged picture.
#define STBI_ASSERT(condition) ((void)0)
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS 16384
#define STB_IMAGE_IMPLEMENTATION
#include <stb/stb_image.h>

#define STB_IMAGE_RESIZE_IMPLEMENTATION
#include <stb/stb_image_resize.h>
