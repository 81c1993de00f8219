// One picture file: decode it and bring it to the size that the networks want.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/files.h"

namespace forger {

/// Pixels in row-major order, the channels of a pixel side by side.
struct Image {
  int height = 0, width = 0, channels = 0;
  std::vector<uint8_t> pixels;  // [height, width, channels]
};

/// Decodes a PNG or JPEG to grey (channels = 1) or red, green, blue (3), whatever the file has; transparency
/// is dropped. Throws DataError, which begins with `name`, if the file is no such picture, is damaged or is
/// larger than 16384 pixels on a side or 2^26 pixels in all.
Image decode_image(Bytes file, int channels, const std::string& name);

/// The largest centred part with the aspect of height x width, resized: averages over areas to shrink,
/// interpolates linearly to grow.
Image crop_and_resize(const Image& image, int height, int width);

}  // namespace forger
