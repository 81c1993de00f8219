// Division by a number that is known before the launch: a multiplication and a shift instead of some thirty
// instructions. Granlund and Montgomery 1994, "Division by invariant integers using multiplication".
#pragma once

#include "kernels/cuda/launch.h"

namespace forger::FORGER_DEVICE {

/// Exact for all dividends >= 0; fast below 2^31.
struct Divisor {
  int64_t value = 1;
  uint32_t factor = 1, shift = 0;

  Divisor() = default;
  /// divisor >= 1.
  explicit Divisor(int64_t divisor) : value(divisor) {
    if (divisor >= int64_t{1} << 31) {
      factor = 0;
      shift = 31;  // makes every quotient of the fast path 0
      return;
    }
    while ((int64_t{1} << shift) < divisor) ++shift;
    const auto d = static_cast<uint64_t>(divisor);
    factor = static_cast<uint32_t>((((uint64_t{1} << shift) - d) << 32) / d + 1);
  }

  __device__ __forceinline__ int64_t divide(int64_t n) const {
    if (n >= int64_t{1} << 31) return n / value;
    const auto low = static_cast<uint32_t>(n);
    return (__umulhi(low, factor) + low) >> shift;
  }
  __device__ __forceinline__ int64_t remainder(int64_t n) const { return n - divide(n) * value; }
};

}  // namespace forger::FORGER_DEVICE
