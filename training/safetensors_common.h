// What the reader and the writer of safetensors agree on.
#pragma once

#include <fmt/format.h>
#include <zlib.h>

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

#include "datasets/files.h"

namespace forger::safetensors {

static_assert(std::endian::native == std::endian::little, "safetensors: data is copied as it is, little-endian");

constexpr const char* kMetadataKey = "__metadata__";
constexpr const char* kChecksumKey = "forger.crc32";
// The checksum's digits are found by this text; both are written by the same JSON library, which adds no
// spaces.
constexpr std::string_view kChecksumField = "\"forger.crc32\":\"";
constexpr std::string_view kNoChecksum = "00000000";
constexpr size_t kLengthBytes = 8;
constexpr size_t kMaxHeaderBytes = 100'000'000;  // as the reference implementation

/// Continues a CRC-32; begin with 0.
inline uint32_t crc32_of(uint32_t crc, Bytes bytes) {
  if (bytes.empty()) return crc;  // for zlib a null pointer means to begin anew
  return static_cast<uint32_t>(::crc32_z(crc, bytes.data(), bytes.size()));
}

inline Bytes text_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

inline std::string checksum_text(uint32_t crc) {
  return fmt::format("{:08x}", crc);
}

}  // namespace forger::safetensors
