#include "training/npy.h"

#include <bit>

#include "datasets/files.h"
#include "datasets/shape_text.h"
#include "kernels/common/errors.h"

namespace forger {

void write_npy(const std::string& path, std::span<const int64_t> shape, std::span<const float> values) {
  static_assert(std::endian::native == std::endian::little, "'<f4' below says that the floats are little-endian");
  if (element_count(shape) != static_cast<int64_t>(values.size())) {
    fail<ShapeError>("{}: {} values, expected {} for shape {}", path, values.size(), element_count(shape), shape_text(shape));
  }
  std::string sizes;
  for (const int64_t d : shape) sizes += fmt::format("{}, ", d);  // Python's tuple of one needs its comma
  std::string header = fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", sizes);
  // Magic, version and length are 10 bytes; all together is a multiple of 64 and ends with a new line.
  header.resize((10 + header.size() + 1 + 63) / 64 * 64 - 10, ' ');
  header.back() = '\n';
  const auto length = static_cast<uint16_t>(header.size());
  const uint8_t magic[] = {
      0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, static_cast<uint8_t>(length & 0xff), static_cast<uint8_t>(length >> 8)};
  write_file(path, {magic, {reinterpret_cast<const uint8_t*>(header.data()), header.size()}, bytes_of(values)});
}

}  // namespace forger
