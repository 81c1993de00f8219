#include "training/event_file.h"

#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

#include "datasets/files.h"
#include "kernels/common/errors.h"
#include "training/protobuf.h"

namespace forger {
namespace {

// Field numbers of Event, Summary, Summary.Value and Summary.Image.
constexpr int kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5;
constexpr int kValue = 1, kTag = 1, kSimpleValue = 2, kImage = 4;
constexpr int kHeight = 1, kWidth = 2, kColorspace = 3, kEncoded = 4;
constexpr size_t kHeaderBytes = 12, kFooterBytes = 4;

/// TensorFlow masks the sums, lest a file of files has sums of sums: rotated, plus a constant.
uint32_t masked_crc(const void* data, size_t size) {
  const uint32_t crc = crc32c(data, size);
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

std::string record_of(const ProtoMessage& event) {
  const std::string& body = event.serialized();
  std::string record;
  const auto append = [&](const auto& value) { record.append(reinterpret_cast<const char*>(&value), sizeof value); };
  const uint64_t length = body.size();
  append(length);
  append(masked_crc(&length, sizeof length));
  record += body;
  append(masked_crc(body.data(), body.size()));
  return record;
}

ProtoMessage event_at(int64_t step) {
  ProtoMessage event;
  event.real64(kWallTime, static_cast<double>(step));
  event.integer(kStep, step);
  return event;
}

/// The step of an event that event_at began; none for bytes that it did not make.
std::optional<int64_t> step_of(std::string_view event) {
  constexpr size_t kAt = 9;  // behind the wall time
  if (event.size() <= kAt + 1 || event[kAt] != kStep << 3) return {};
  uint64_t step = 0;
  for (size_t i = kAt + 1, shift = 0; i < event.size() && shift < 64; ++i, shift += 7) {
    step |= static_cast<uint64_t>(event[i] & 0x7f) << shift;
    if ((event[i] & 0x80) == 0) return static_cast<int64_t>(step);
  }
  return {};
}

/// The records at the beginning of a file that are whole and of steps before `first_step`.
std::string kept_records(const std::string& path, int64_t first_step) {
  std::ifstream in(path, std::ios::binary);
  const std::string file{std::istreambuf_iterator<char>(in), {}};
  std::string kept;
  for (size_t at = 0; at + kHeaderBytes + kFooterBytes <= file.size();) {
    uint64_t length = 0;
    uint32_t crc = 0;
    std::memcpy(&length, &file[at], sizeof length);
    if (length > file.size() - at - kHeaderBytes - kFooterBytes) break;
    std::memcpy(&crc, &file[at + kHeaderBytes + length], sizeof crc);
    const std::string_view event(&file[at + kHeaderBytes], length);
    if (crc != masked_crc(event.data(), event.size())) break;
    const auto step = step_of(event);
    const size_t size = kHeaderBytes + length + kFooterBytes;
    const bool version = at == 0;
    if (version || (step && *step < first_step)) kept += file.substr(at, size);
    at += size;
  }
  return kept;
}

uint32_t big_endian(const std::string& bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = at; i < at + 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

}  // namespace

uint32_t crc32c(const void* data, size_t size) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> t{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t c = i;
      for (int bit = 0; bit < 8; ++bit) c = (c & 1) != 0 ? c >> 1 ^ 0x82f63b78u : c >> 1;
      t[i] = c;
    }
    return t;
  }();
  uint32_t crc = ~0u;
  const auto* bytes = static_cast<const uint8_t*>(data);
  for (size_t i = 0; i < size; ++i) crc = table[(crc ^ bytes[i]) & 0xff] ^ crc >> 8;
  return ~crc;
}

EventFile::EventFile(const std::string& path, int64_t first_step) : path_(path) {
  std::string kept = kept_records(path, first_step);
  if (kept.empty()) kept = record_of(ProtoMessage().real64(kWallTime, 0).bytes(kFileVersion, "brain.Event:2"));
  write_file(path, {bytes_of(std::span<const char>(kept))});
  file_ = std::fopen(path.c_str(), "ab");
  if (!file_) fail<DataError>("{}: cannot write: {}", path, std::strerror(errno));
}

EventFile::~EventFile() {
  std::fclose(file_);
}

void EventFile::write(const std::string& record) {
  if (std::fwrite(record.data(), 1, record.size(), file_) != record.size() || std::fflush(file_) != 0) {
    fail<DataError>("{}: cannot write: {}", path_, std::strerror(errno));
  }
}

void EventFile::add_scalars(int64_t step, const std::vector<std::pair<std::string, double>>& values) {
  ProtoMessage summary;
  for (const auto& [tag, value] : values) {
    if (!std::isfinite(value)) continue;
    summary.message(kValue, ProtoMessage().bytes(kTag, tag).real32(kSimpleValue, static_cast<float>(value)));
  }
  if (!summary.serialized().empty()) write(record_of(event_at(step).message(kSummary, summary)));
}

void EventFile::add_image(int64_t step, const std::string& tag, const std::string& png) {
  // PNG: 8 bytes of signature, length and "IHDR", then width, height (big-endian), depth, colour type.
  constexpr size_t kWidthAt = 16, kHeightAt = 20, kColorAt = 25;
  if (png.size() <= kColorAt || png.compare(1, 3, "PNG") != 0) fail<DataError>("{}: '{}' is no PNG", path_, tag);
  const int64_t channels = png[kColorAt] == 0 ? 1 : png[kColorAt] == 6 ? 4 : 3;
  const ProtoMessage image = ProtoMessage()
                                 .integer(kHeight, big_endian(png, kHeightAt))
                                 .integer(kWidth, big_endian(png, kWidthAt))
                                 .integer(kColorspace, channels)
                                 .bytes(kEncoded, png);
  const ProtoMessage value = ProtoMessage().bytes(kTag, tag).message(kImage, image);
  write(record_of(event_at(step).message(kSummary, ProtoMessage().message(kValue, value))));
}

}  // namespace forger
