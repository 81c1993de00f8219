// Any bytes are a picture, which can be resized, or a DataError.
#include <cstddef>
#include <cstdint>

#include "datasets/image_file.h"
#include "kernels/common/errors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const int channels : {1, 3}) {
    try {
      const forger::Image image = forger::decode_image({data, size}, channels, "input");
      // A big picture of zeros is a small file and takes long; the decoder is what is tested here.
      if (image.pixels.size() < 1 << 20) forger::crop_and_resize(image, 8, 6);
    } catch (const forger::DataError&) {
    }
  }
  return 0;
}
