// MD5 (RFC 1321), only to compare files with published sums. It is broken as a cryptographic hash.
#pragma once

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace forger::test {

inline void md5_block(std::array<uint32_t, 4>& state, const uint8_t* block) {
  constexpr int kShift[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
  auto [a, b, c, d] = state;
  for (int i = 0; i < 64; ++i) {
    uint32_t f = 0;
    int word = 0;
    switch (i / 16) {
      case 0:
        f = (b & c) | (~b & d), word = i;
        break;
      case 1:
        f = (d & b) | (~d & c), word = (5 * i + 1) % 16;
        break;
      case 2:
        f = b ^ c ^ d, word = (3 * i + 5) % 16;
        break;
      default:
        f = c ^ (b | ~d), word = (7 * i) % 16;
        break;
    }
    const uint8_t* m = block + 4 * word;
    const uint32_t value = uint32_t{m[0]} | uint32_t{m[1]} << 8 | uint32_t{m[2]} << 16 | uint32_t{m[3]} << 24;
    const auto sine = static_cast<uint32_t>(std::floor(0x1p32 * std::fabs(std::sin(i + 1.0))));
    const uint32_t rotated = std::rotl(a + f + sine + value, kShift[i / 16][i % 4]);
    a = d, d = c, c = b, b += rotated;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d;
}

/// The MD5 sum as 32 hexadecimal digits.
inline std::string md5(std::span<const uint8_t> bytes) {
  std::array<uint32_t, 4> state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  size_t done = 0;
  for (; done + 64 <= bytes.size(); done += 64) md5_block(state, bytes.data() + done);
  // The tail: the rest, a one bit, zeros, and the length in bits as a little-endian 64-bit number.
  std::vector<uint8_t> tail(bytes.begin() + static_cast<std::ptrdiff_t>(done), bytes.end());
  tail.push_back(0x80);
  while (tail.size() % 64 != 56) tail.push_back(0);
  for (int i = 0; i < 8; ++i) tail.push_back(static_cast<uint8_t>(uint64_t{bytes.size()} * 8 >> (8 * i)));
  for (size_t i = 0; i < tail.size(); i += 64) md5_block(state, tail.data() + i);
  std::string hex;
  for (const uint32_t word : state) {
    for (int i = 0; i < 4; ++i) hex += fmt::format("{:02x}", word >> (8 * i) & 0xff);
  }
  return hex;
}

}  // namespace forger::test
