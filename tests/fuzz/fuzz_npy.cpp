// Any bytes are an .npy file, and its array images or not, or a DataError.
#include <cstddef>
#include <cstdint>

#include "datasets/sample_file.h"
#include "kernels/common/errors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const forger::SampleArray array = forger::parse_npy({data, size}, "input");
    int64_t count = 1;
    for (const int64_t d : array.dims) count *= d;
    if (count != static_cast<int64_t>(array.values.size())) __builtin_trap();
    const forger::ImageSamples images = forger::image_samples(array, "input");
    const int64_t pixels = images.count * images.height * images.width * images.channels;
    if (pixels != static_cast<int64_t>(images.pixels.size())) __builtin_trap();
  } catch (const forger::DataError&) {
  }
  return 0;
}
