// The kernels around the vendor libraries, run by the emulator.
#define FORGER_DEVICE emulated
#include "kernels/cuda/vendor_glue.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <random>
#include <vector>

using namespace forger;

namespace {

/// Nearest bf16, ties to even, of a finite number.
uint16_t bf16(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint32_t low = bits & 0xFFFF, up = low > 0x8000 || (low == 0x8000 && (bits >> 16 & 1)) ? 1 : 0;
  return static_cast<uint16_t>((bits >> 16) + up);
}

struct alignas(16) Block {
  float values[4];
};

/// n floats from an address that is a multiple of 16.
struct Floats {
  explicit Floats(int64_t n, unsigned seed) : blocks(static_cast<size_t>(n / 4 + 1)) {
    std::mt19937 random(seed);
    for (int64_t i = 0; i < n; ++i) data()[i] = std::ldexp(static_cast<float>(random()) * 0x1p-32f - 0.5f, random() % 9);
  }
  float* data() { return blocks[0].values; }
  std::vector<Block> blocks;
};

}  // namespace

TEST_CASE("vendor glue: operands rounded to bf16, any sizes, nothing beside them") {
  for (const auto& [n, m] : {std::pair<int64_t, int64_t>{1, 1}, {8, 0}, {0, 7}, {16, 9}, {2047, 2049}, {3000, 1}}) {
    CAPTURE(n);
    CAPTURE(m);
    Floats a(n, 1), b(m, 2);
    a.data()[0] = std::bit_cast<float>(0x3F808000u);  // halfway, even below
    b.data()[0] = std::bit_cast<float>(0x3F818000u);  // halfway, even above
    constexpr uint16_t kUntouched = 0xABCD;
    Floats a_room(n / 2 + 8, 3), b_room(m / 2 + 8, 4);
    auto *a16 = reinterpret_cast<uint16_t*>(a_room.data()), *b16 = reinterpret_cast<uint16_t*>(b_room.data());
    a16[n] = b16[m] = kUntouched;
    emulated::round_to_bf16(a.data(), n, a16, b.data(), m, b16, nullptr);
    int64_t wrong = 0;
    for (int64_t i = 0; i < n; ++i) wrong += a16[i] != bf16(a.data()[i]);
    for (int64_t i = 0; i < m; ++i) wrong += b16[i] != bf16(b.data()[i]);
    CHECK(wrong == 0);
    CHECK(a16[n] == kUntouched);
    CHECK(b16[m] == kUntouched);
  }
}

TEST_CASE("vendor glue: a bias added in place, channels of any number") {
  for (const auto& [rows, channels] :
       {std::pair<int64_t, int64_t>{1, 1}, {5, 3}, {300, 7}, {9, 4}, {40, 132}, {1, 2000}, {700, 12}}) {
    CAPTURE(rows);
    CAPTURE(channels);
    Floats y(rows * channels, 5), bias(channels, 6), want = y;
    for (int64_t i = 0; i < rows * channels; ++i) want.data()[i] += bias.data()[i % channels];
    emulated::add_bias_in_place(y.data(), bias.data(), rows, channels, nullptr);
    int64_t wrong = 0;
    for (int64_t i = 0; i < rows * channels; ++i) wrong += y.data()[i] != want.data()[i];
    CHECK(wrong == 0);
  }
}
