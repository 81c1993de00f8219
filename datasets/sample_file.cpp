#include "datasets/sample_file.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <string_view>

#include "datasets/byte_source.h"
#include "datasets/idx.h"
#include "datasets/shape_text.h"
#include "kernels/common/errors.h"

namespace forger {
namespace {

constexpr int64_t kMaxFileBytes = int64_t{1} << 34;
constexpr int64_t kMaxNumbers = int64_t{1} << 31;
constexpr uint8_t kIdxFloat = 0x0D;

/// The text after 'key': in the header of an .npy file, which is a Python dictionary.
std::string_view value_of(std::string_view header, std::string_view key, const std::string& name) {
  const size_t at = header.find(key);
  const size_t colon = at == std::string_view::npos ? at : header.find(':', at);
  if (colon == std::string_view::npos) fail<DataError>("{}: its header has no {}; is it an .npy file?", name, key);
  std::string_view rest = header.substr(colon + 1);
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  return rest;
}

std::vector<int64_t> parse_dims(std::string_view text, const std::string& name) {
  std::vector<int64_t> dims;
  const size_t end = text.find(')');
  if (!text.starts_with('(') || end == std::string_view::npos) fail<DataError>("{}: its header has no shape", name);
  for (const char* at = text.data() + 1; at < text.data() + end;) {
    if (*at == ' ' || *at == ',') {
      ++at;
      continue;
    }
    int64_t extent = 0;
    const auto [next, error] = std::from_chars(at, text.data() + end, extent);
    if (error != std::errc() || extent < 1) fail<DataError>("{}: its shape is '{}'", name, text.substr(0, end + 1));
    dims.push_back(extent);
    at = next;
  }
  if (dims.empty() || element_count(dims) > kMaxNumbers) {
    fail<DataError>("{}: has shape {}, expected samples along the first axis and at most 2^31 numbers", name, shape_text(dims));
  }
  return dims;
}

template <class T>
std::vector<float> convert(Bytes data) {
  std::vector<float> values(data.size() / sizeof(T));
  for (size_t i = 0; i < values.size(); ++i) {
    T v;
    std::memcpy(&v, data.data() + i * sizeof(T), sizeof(T));
    values[i] = static_cast<float>(v);
  }
  return values;
}

/// An IDX file of floats, which read_idx does not read: big-endian sizes, then big-endian floats.
SampleArray parse_idx_floats(Bytes file, const std::string& name) {
  const auto word = [&](size_t at) {
    return uint32_t{file[at]} << 24 | uint32_t{file[at + 1]} << 16 | uint32_t{file[at + 2]} << 8 | uint32_t{file[at + 3]};
  };
  const size_t axes = file[3], begin = 4 + 4 * axes;
  SampleArray array;
  for (size_t i = 0; i < axes && 8 + 4 * i <= file.size(); ++i) array.dims.push_back(word(4 + 4 * i));
  const int64_t count = element_count(array.dims);
  if (axes == 0 || array.dims.size() != axes || count > kMaxNumbers || count < 1 ||
      static_cast<int64_t>(file.size()) != static_cast<int64_t>(begin) + 4 * count) {
    fail<DataError>("{}: {} bytes do not fit its header, floats of shape {}; the file is cut or damaged", name, file.size(),
                    shape_text(array.dims));
  }
  for (int64_t i = 0; i < count; ++i) array.values.push_back(std::bit_cast<float>(word(begin + 4 * static_cast<size_t>(i))));
  return array;
}

bool in_range(std::span<const float> values, float low, float high) {
  return std::all_of(values.begin(), values.end(), [&](float v) { return v >= low && v <= high; });
}

/// [n,C,H,W] -> [n,H,W,C].
std::vector<uint8_t> channels_last(const std::vector<uint8_t>& pixels, int64_t n, int64_t c, int64_t size) {
  std::vector<uint8_t> out(pixels.size());
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t k = 0; k < c; ++k) {
      for (int64_t p = 0; p < size; ++p) {
        out[static_cast<size_t>((i * size + p) * c + k)] = pixels[static_cast<size_t>((i * c + k) * size + p)];
      }
    }
  }
  return out;
}

}  // namespace

SampleArray parse_npy(Bytes file, const std::string& name) {
  constexpr std::string_view kMagic = "\x93NUMPY";
  if (file.size() < 12 || std::memcmp(file.data(), kMagic.data(), kMagic.size()) != 0) {
    fail<DataError>("{}: is no .npy file", name);
  }
  const bool version_1 = file[6] == 1;
  const size_t lead = version_1 ? 10 : 12;
  const size_t length =
      version_1 ? file[8] + 256u * file[9] : file[8] + 256u * file[9] + 65536u * file[10] + 16777216u * file[11];
  if (length > file.size() - lead) fail<DataError>("{}: its header is cut off", name);
  const std::string_view header(reinterpret_cast<const char*>(file.data()) + lead, length);
  const std::string_view type = value_of(header, "'descr'", name).substr(0, 5);
  if (!value_of(header, "'fortran_order'", name).starts_with("False")) {
    fail<DataError>("{}: is in Fortran's order; save numpy.ascontiguousarray(x)", name);
  }
  SampleArray array;
  array.dims = parse_dims(value_of(header, "'shape'", name), name);
  const size_t size = type == "'|u1'" ? 1 : type == "'<f4'" ? 4 : type == "'<f8'" ? 8 : 0;
  if (size == 0) fail<DataError>("{}: its type is {}, expected '|u1', '<f4' or '<f8'; use x.astype('<f4')", name, type);
  const Bytes data = file.subspan(lead + length);
  if (data.size() != size * static_cast<size_t>(element_count(array.dims))) {
    fail<DataError>("{}: {} bytes of data, expected {} for shape {}; the file is cut or damaged", name, data.size(),
                    size * static_cast<size_t>(element_count(array.dims)), shape_text(array.dims));
  }
  array.bytes = size == 1;
  array.values = size == 1 ? convert<uint8_t>(data) : size == 4 ? convert<float>(data) : convert<double>(data);
  return array;
}

SampleArray read_samples(const std::string& path) {
  const std::vector<uint8_t> file = read_file(path, kMaxFileBytes);
  if (file.size() > 0 && file[0] == 0x93) return parse_npy(file, path);
  if (file.size() > 4 && file[0] == 0 && file[1] == 0 && file[2] == kIdxFloat) return parse_idx_floats(file, path);
  if (!is_gzip(file) && (file.size() < 4 || file[0] != 0 || file[1] != 0)) {
    fail<DataError>("{}: is neither .npy nor IDX; give --samples one of them or a folder of PNG files", path);
  }
  const IdxArray idx = parse_idx(file, path);
  return {idx.dims, {idx.values.begin(), idx.values.end()}, true};
}

uint8_t pixel_byte(float value) {
  return static_cast<uint8_t>(std::clamp((value + 1.f) * 127.5f + 0.5f, 0.f, 255.f));
}

ImageSamples image_samples(const SampleArray& array, const std::string& name) {
  std::vector<int64_t> d = array.dims;
  if (d.size() == 3) d.push_back(1);
  const bool last = d.size() == 4 && (d[3] == 1 || d[3] == 3), first = !last && d.size() == 4 && (d[1] == 1 || d[1] == 3);
  if (!last && !first) {
    fail<DataError>("{}: has shape {}, expected images [n,H,W], [n,H,W,C] or [n,C,H,W] with 1 or 3 channels", name,
                    shape_text(array.dims));
  }
  // One rule for the whole file, so that a dark image among bright ones is read as they are.
  float low = -1, high = 1;
  if (array.bytes || !in_range(array.values, low, high)) {
    low = 0, high = 255;
  } else if (in_range(array.values, 0, 1)) {
    low = 0;
  }
  if (!in_range(array.values, low, high)) {
    fail<DataError>("{}: holds pixels outside 0 ... 255 or that are no numbers; scale them to -1 ... 1, 0 ... 1 or 0 ... 255",
                    name);
  }
  ImageSamples images{d[0], last ? d[1] : d[2], last ? d[2] : d[3], last ? d[3] : d[1], {}};
  images.pixels.reserve(array.values.size());
  for (const float v : array.values) images.pixels.push_back(pixel_byte((v - low) / (high - low) * 2.f - 1.f));
  if (first) images.pixels = channels_last(images.pixels, images.count, images.channels, images.height * images.width);
  return images;
}

}  // namespace forger
