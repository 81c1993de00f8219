#include "datasets/image_file.h"

#include <stb/stb_image.h>
#include <stb/stb_image_resize.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "datasets/jpeg_check.h"
#include "kernels/common/errors.h"

namespace forger {
namespace {

constexpr int kMaxSide = 16384;
constexpr int64_t kMaxPixels = int64_t{1} << 26;
constexpr int64_t kMaxFileBytes = int64_t{1} << 30;

/// The extent, at most `most`, of the part of a side that fits the other side's `extent` at the aspect `to :
/// from`.
int fit(int extent, int to, int from, int most) {
  const double exact = static_cast<double>(extent) * to / from;
  return std::clamp(static_cast<int>(std::lround(exact)), 1, most);
}

}  // namespace

Image decode_image(Bytes file, int channels, const std::string& name) {
  if (channels != 1 && channels != 3) fail<ConfigError>("{}: {} channels, expected 1 (grey) or 3 (colour)", name, channels);
  if (file.empty()) fail<DataError>("{}: is empty; remove it or copy it again", name);
  if (static_cast<int64_t>(file.size()) > kMaxFileBytes) {
    fail<DataError>("{}: is {} bytes long, expected at most {}", name, file.size(), kMaxFileBytes);
  }
  const auto length = static_cast<int>(file.size());
  int width = 0, height = 0, stored_channels = 0;
  // The size is looked at first: a file of a few bytes can claim a picture of gigabytes.
  if (!stbi_info_from_memory(file.data(), length, &width, &height, &stored_channels)) {
    fail<DataError>("{}: is no PNG or JPEG picture that can be read ({})", name, stbi_failure_reason());
  }
  if (width < 1 || height < 1 || width > kMaxSide || height > kMaxSide || int64_t{width} * height > kMaxPixels) {
    fail<DataError>("{}: a picture of {} x {} pixels, expected at most {} on a side and {} in all", name, width, height, kMaxSide,
                    kMaxPixels);
  }
  const bool is_jpeg = file[0] == 0xff;  // the other kind that got this far, PNG, begins with 0x89
  if (is_jpeg && !has_sane_huffman_tables(file)) {
    fail<DataError>("{}: a damaged picture (impossible Huffman table); remove it or copy it again", name);
  }
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(file.data(), length, &width, &height, &stored_channels, channels), stbi_image_free);
  if (!pixels) fail<DataError>("{}: a damaged picture ({}); remove it or copy it again", name, stbi_failure_reason());
  const size_t size = static_cast<size_t>(width) * static_cast<size_t>(height) * static_cast<size_t>(channels);
  return {height, width, channels, {pixels.get(), pixels.get() + size}};
}

Image crop_and_resize(const Image& image, int height, int width) {
  // Of the two ways to reach the aspect, narrower or lower, one fits into the picture.
  const int crop_width = fit(image.height, width, height, image.width);
  const int crop_height = fit(image.width, height, width, image.height);
  const int left = (image.width - crop_width) / 2, top = (image.height - crop_height) / 2;
  const int row_bytes = image.width * image.channels;
  const uint8_t* first =
      image.pixels.data() + static_cast<int64_t>(top) * row_bytes + static_cast<int64_t>(left) * image.channels;

  Image result{height, width, image.channels, {}};
  result.pixels.resize(static_cast<size_t>(height) * static_cast<size_t>(width) * static_cast<size_t>(image.channels));
  if (crop_width == width && crop_height == height) {
    for (int y = 0; y < height; ++y) {
      std::copy_n(first + static_cast<int64_t>(y) * row_bytes, width * image.channels,
                  result.pixels.data() + static_cast<int64_t>(y) * width * image.channels);
    }
    return result;
  }
  // The box is the average over the area that a pixel covers, the triangle is linear interpolation. Neither
  // overshoots, as the sharper default filters do.
  const bool shrink = height <= crop_height && width <= crop_width;
  const int done =
      stbir_resize_uint8_generic(first, crop_width, crop_height, row_bytes, result.pixels.data(), width, height,
                                 width * image.channels, image.channels, STBIR_ALPHA_CHANNEL_NONE, 0, STBIR_EDGE_CLAMP,
                                 shrink ? STBIR_FILTER_BOX : STBIR_FILTER_TRIANGLE, STBIR_COLORSPACE_LINEAR, nullptr);
  if (!done) fail<Error>("cannot resize a picture of {} x {} pixels: no memory", image.width, image.height);
  return result;
}

}  // namespace forger
