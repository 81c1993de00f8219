// What the tests of kernels/simd share: guarded outputs, every instruction set, every number of threads.
#pragma once

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "kernels/common/isa.h"
#include "kernels/threads/pool.h"

namespace simd_testing {

inline constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kInf = std::numeric_limits<float>::infinity();

/// Sizes around a register, a tape block, a thread's chunk, and one with many chunks.
inline const std::vector<int64_t> kSizes = {1, 3, 17, 511, 513, 16384, 16385, 1000003};

/// An output of n floats, filled with NaN, between two guard zones.
class Guarded {
 public:
  explicit Guarded(int64_t n) : n_(n), storage_(static_cast<size_t>(n + 2 * kGuard), std::bit_cast<float>(kPattern)) {}
  explicit Guarded(const std::vector<float>& x) : Guarded(static_cast<int64_t>(x.size())) {
    std::copy(x.begin(), x.end(), data());
  }

  float* data() { return storage_.data() + kGuard; }
  std::span<const float> values() const { return {storage_.data() + kGuard, static_cast<size_t>(n_)}; }
  float operator[](int64_t i) const { return storage_[i + kGuard]; }

  bool guards_intact() const {
    for (int64_t i = 0; i < kGuard; ++i) {
      if (std::bit_cast<uint32_t>(storage_[i]) != kPattern) return false;
      if (std::bit_cast<uint32_t>(storage_[kGuard + n_ + i]) != kPattern) return false;
    }
    return true;
  }

 private:
  static constexpr int64_t kGuard = 64;
  static constexpr uint32_t kPattern = 0x7FC0BEEFu;  // a quiet NaN that no computation gives
  int64_t n_;
  std::vector<float> storage_;
};

/// Calls test(isa) for every instruction set of this machine.
template <class Test>
void for_each_isa(const Test& test) {
  for (const forger::Isa isa : forger::available_isas()) {
    const std::string name = forger::isa_name(isa);
    CAPTURE(name);
    test(isa);
  }
}

/// Reals in [low, high), the same on every run.
inline std::vector<float> reals(int64_t n, uint64_t seed, double low = -1, double high = 1) {
  std::vector<float> x(static_cast<size_t>(n));
  uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
  for (float& v : x) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    v = static_cast<float>(low + (high - low) * static_cast<double>(state >> 11) * 0x1p-53);
  }
  return x;
}

/// |got - want| <= rtol * |want| + atol at every element. Infinities and NaN must be those of `want`.
inline void check_close(std::span<const float> got, const std::vector<double>& want, double rtol, double atol) {
  REQUIRE(got.size() == want.size());
  double worst = -1;
  size_t at = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const double g = got[i], w = want[i], w_float = static_cast<float>(w);
    double excess = std::abs(g - w) - (rtol * std::abs(w) + atol);
    if (std::isnan(w) || std::isinf(w_float))
      excess = std::isnan(w) == std::isnan(g) && (std::isnan(w) || g == w_float) ? -1 : kInf;
    if (std::isnan(excess)) excess = kInf;
    if (excess > worst) {
      worst = excess;
      at = i;
    }
  }
  if (worst > 0) {
    CAPTURE(at);
    CAPTURE(got[at]);
    CAPTURE(want[at]);
    CHECK_MESSAGE(worst <= 0, "worst element");
  } else {
    CHECK(worst <= 0);
  }
}

inline bool same_bits(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::bit_cast<uint32_t>(a[i]) != std::bit_cast<uint32_t>(b[i])) return false;
  }
  return true;
}

/// run() returns all numbers that a kernel computed: they must be the same on 1, 2 and 3 threads, bit for
/// bit.
template <class Run>
void check_same_on_any_threads(const Run& run) {
  const int before = forger::num_threads();
  forger::set_num_threads(1);
  const std::vector<float> alone = run();
  for (const int threads : {2, 3, 2}) {
    forger::set_num_threads(threads);
    CAPTURE(threads);
    CHECK(same_bits(run(), alone));
  }
  forger::set_num_threads(before);
}

inline std::vector<double> to_double(std::span<const float> x) {
  return {x.begin(), x.end()};
}

}  // namespace simd_testing
