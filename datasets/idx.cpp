#include "datasets/idx.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

#include "datasets/byte_source.h"
#include "datasets/shape_text.h"
#include "kernels/common/errors.h"

namespace forger {
namespace {

constexpr uint8_t kUnsignedByte = 0x08, kFloat = 0x0D;
constexpr int kMaxDims = 4;
constexpr int64_t kMaxFileBytes = int64_t{8} << 30;

std::string type_name(uint8_t type) {
  switch (type) {
    case 0x08:
      return "unsigned byte";
    case 0x09:
      return "signed byte";
    case 0x0B:
      return "16-bit integer";
    case 0x0C:
      return "32-bit integer";
    case 0x0D:
      return "float";
    case 0x0E:
      return "double";
    default:
      return "unknown";
  }
}

uint32_t load_big_endian(const uint8_t* p) {
  return uint32_t{p[0]} << 24 | uint32_t{p[1]} << 16 | uint32_t{p[2]} << 8 | uint32_t{p[3]};
}

void append_big_endian(std::vector<uint8_t>& out, uint32_t word) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<uint8_t>(word >> shift));
}

void read_exactly(const ByteSource& source, std::span<uint8_t> out, const std::string& name, const char* what, int64_t offset) {
  const size_t got = source(out);
  if (got < out.size()) {
    fail<DataError>("{}: too short: {} ends at byte {}, expected at least {} bytes; copy or download the file again", name, what,
                    offset + static_cast<int64_t>(got), offset + static_cast<int64_t>(out.size()));
  }
}

/// Reads magic, type and sizes; `capacity` is the most bytes that the file can hold.
std::vector<int64_t> read_header(const ByteSource& source, const std::string& name, int64_t capacity) {
  uint8_t magic[4];
  read_exactly(source, magic, name, "the IDX header", 0);
  if (magic[0] != 0 || magic[1] != 0) {
    fail<DataError>("{}: byte 0: no IDX file: it begins with {:02x} {:02x}, expected 00 00", name, magic[0], magic[1]);
  }
  if (magic[2] != kUnsignedByte) {
    fail<DataError>("{}: byte 2: IDX type 0x{:02x} ({}), expected 0x08 (unsigned byte); convert the file", name, magic[2],
                    type_name(magic[2]));
  }
  if (magic[3] < 1 || magic[3] > kMaxDims) {
    fail<DataError>("{}: byte 3: {} dimensions, expected 1 to {}", name, magic[3], kMaxDims);
  }
  std::vector<int64_t> dims(magic[3]);
  const int64_t header_bytes = 4 + 4 * static_cast<int64_t>(dims.size());
  int64_t count = 1;
  for (size_t i = 0; i < dims.size(); ++i) {
    uint8_t word[4];
    const auto offset = static_cast<int64_t>(4 + 4 * i);
    read_exactly(source, word, name, "the IDX header", offset);
    dims[i] = load_big_endian(word);
    if (dims[i] == 0) fail<DataError>("{}: byte {}: dimension {} is empty, the file holds no data", name, offset, i);
    count = element_count(std::array{count, dims[i]});
    if (count > kMaxFileBytes) {
      fail<DataError>("{}: byte {}: the header claims more than {} bytes of data; the file is damaged", name, offset,
                      kMaxFileBytes);
    }
  }
  if (header_bytes + count > capacity) {
    fail<DataError>(
        "{}: too short: the header claims {} + {} bytes, the file can hold at most {}; copy or download it "
        "again",
        name, header_bytes, count, capacity);
  }
  return dims;
}

/// Reads `count` bytes; takes memory only as data arrives, so that a false header cannot claim gigabytes.
std::vector<uint8_t> read_values(const ByteSource& source, int64_t count, const std::string& name, int64_t offset) {
  constexpr int64_t kFirst = 1 << 20;
  std::vector<uint8_t> values;
  while (static_cast<int64_t>(values.size()) < count) {
    const auto done = static_cast<int64_t>(values.size());
    values.resize(static_cast<size_t>(std::min(count, std::max(kFirst, 2 * done))));
    read_exactly(source, std::span(values).subspan(static_cast<size_t>(done)), name, "the data", offset + done);
  }
  return values;
}

std::vector<uint8_t> make_header(const std::string& path, uint8_t type, std::span<const int64_t> dims, size_t count) {
  if (dims.empty() || dims.size() > kMaxDims) {
    fail<ShapeError>("{}: {} dimensions, expected 1 to {}", path, dims.size(), kMaxDims);
  }
  std::vector<uint8_t> header = {0, 0, type, static_cast<uint8_t>(dims.size())};
  for (const int64_t d : dims) {
    if (d < 1 || d > std::numeric_limits<uint32_t>::max()) {
      fail<ShapeError>("{}: a dimension of size {}, expected 1 to 2^32 - 1", path, d);
    }
    append_big_endian(header, static_cast<uint32_t>(d));
  }
  if (element_count(dims) != static_cast<int64_t>(count)) {
    fail<ShapeError>("{}: {} values, expected {} for shape {}", path, count, element_count(dims), shape_text(dims));
  }
  return header;
}

}  // namespace

IdxArray parse_idx(Bytes file, const std::string& name) {
  if (file.empty()) fail<DataError>("{}: is empty; copy or download the file again", name);
  const bool compressed = is_gzip(file);
  const auto length = static_cast<int64_t>(file.size());
  const ByteSource source = compressed ? gzip_source(file, name) : plain_source(file);

  IdxArray array;
  array.dims = read_header(source, name, compressed ? gzip_max_length(length) : length);
  const auto header_bytes = static_cast<int64_t>(4 + 4 * array.dims.size());
  array.values = read_values(source, element_count(array.dims), name, header_bytes);
  // Asking for one byte more than there is also makes a gzip file verify its checksum.
  uint8_t extra;
  if (source({&extra, 1}) != 0) {
    fail<DataError>("{}: too long: the data goes on after byte {}, where the header {} says that it ends", name,
                    header_bytes + element_count(array.dims), shape_text(array.dims));
  }
  return array;
}

IdxArray read_idx(const std::string& path) {
  return parse_idx(read_file(path, kMaxFileBytes), path);
}

void write_idx(const std::string& path, std::span<const int64_t> dims, std::span<const uint8_t> values) {
  write_file(path, {make_header(path, kUnsignedByte, dims, values.size()), values});
}

void write_idx(const std::string& path, std::span<const int64_t> dims, std::span<const float> values) {
  std::vector<uint8_t> bytes = make_header(path, kFloat, dims, values.size());
  bytes.reserve(bytes.size() + values.size_bytes());
  for (const float v : values) append_big_endian(bytes, std::bit_cast<uint32_t>(v));
  write_file(path, {bytes});
}

}  // namespace forger
