#include "training/apng.h"

#include <zlib.h>

#include "datasets/files.h"
#include "kernels/common/errors.h"

namespace forger {
namespace {

void append_u32(std::string& bytes, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
}
void append_u16(std::string& bytes, uint32_t value) {
  bytes += static_cast<char>(value >> 8);
  bytes += static_cast<char>(value);
}

/// Length, type, data, CRC-32 of type and data.
void append_chunk(std::string& file, const std::string& type, const std::string& data) {
  append_u32(file, static_cast<uint32_t>(data.size()));
  const std::string body = type + data;
  file += body;
  append_u32(file, static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(body.data()), body.size())));
}

/// Rows as differences to the row above (filter 2), the first as it is: grids of enlarged pixels repeat their rows.
std::string compressed(const RgbImage& image) {
  const size_t row = static_cast<size_t>(image.width) * 3;
  std::string raw;
  raw.reserve((row + 1) * static_cast<size_t>(image.height));
  for (size_t y = 0; y < static_cast<size_t>(image.height); ++y) {
    raw += static_cast<char>(y == 0 ? 0 : 2);
    for (size_t i = 0; i < row; ++i) {
      const uint8_t above = y == 0 ? 0 : image.pixels[(y - 1) * row + i];
      raw += static_cast<char>(image.pixels[y * row + i] - above);
    }
  }
  uLongf size = compressBound(raw.size());
  std::string packed(size, '\0');
  if (compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(raw.data()), raw.size(), 6) !=
      Z_OK)
    fail<Error>("zlib cannot compress a picture of {} bytes", raw.size());
  packed.resize(size);
  return packed;
}

}  // namespace

void write_apng(const std::string& path, std::span<const RgbImage> frames, int milliseconds) {
  if (frames.empty()) fail<ShapeError>("{}: an animation needs a frame", path);
  const int width = frames[0].width, height = frames[0].height;
  std::string file = "\x89PNG\r\n\x1a\n", header, animation;
  append_u32(header, static_cast<uint32_t>(width));
  append_u32(header, static_cast<uint32_t>(height));
  header += {8, 2, 0, 0, 0};  // eight bits, RGB, deflate, adaptive filters, not interlaced
  append_chunk(file, "IHDR", header);
  append_u32(animation, static_cast<uint32_t>(frames.size()));
  append_u32(animation, 0);  // for ever
  append_chunk(file, "acTL", animation);
  uint32_t sequence = 0;
  for (const RgbImage& frame : frames) {
    if (frame.width != width || frame.height != height)
      fail<ShapeError>("{}: a frame of {} x {}, expected {} x {}", path, frame.width, frame.height, width, height);
    std::string control;
    append_u32(control, sequence++);
    append_u32(control, static_cast<uint32_t>(width));
    append_u32(control, static_cast<uint32_t>(height));
    append_u32(control, 0);  // offset
    append_u32(control, 0);
    append_u16(control, static_cast<uint32_t>(milliseconds));
    append_u16(control, 1000);
    control += {0, 0};  // keep, replace
    append_chunk(file, "fcTL", control);
    if (sequence == 1) {
      append_chunk(file, "IDAT", compressed(frame));
    } else {
      std::string data;
      append_u32(data, sequence++);
      append_chunk(file, "fdAT", data + compressed(frame));
    }
  }
  append_chunk(file, "IEND", "");
  write_file(path, {bytes_of(std::span<const char>(file))});
}

}  // namespace forger
