// A random permutation that is computed element by element: position -> row, with nothing stored.
//
// A balanced Feistel network whose round function is Philox permutes [0, 4^k); positions that fall outside [0, n)
// are sent through again until they fall inside ("cycle walking", Black and Rogaway 2002), which leaves a
// permutation of [0, n). On average fewer than four walks are needed.
#pragma once

#include "kernels/common/philox.h"

namespace forger {

/// The row at `position` in the permutation of [0, n) that (seed, stream, epoch) names. 0 <= position < n < 2^31.
FORGER_HOST_DEVICE constexpr uint32_t permuted(uint32_t position, uint32_t n, uint64_t seed, uint64_t stream, uint64_t epoch) {
  int half_bits = 1;
  while ((uint64_t{1} << (2 * half_bits)) < n) ++half_bits;
  const uint32_t mask = (uint32_t{1} << half_bits) - 1;
  uint32_t x = position;
  do {
    uint32_t left = x >> half_bits, right = x & mask;
    for (uint32_t round = 0; round < 6; ++round) {
      const uint32_t f = philox_block(seed, stream, epoch, (round << 16) | right).v[0] & mask;
      const uint32_t next = left ^ f;
      left = right;
      right = next;
    }
    x = (left << half_bits) | right;
  } while (x >= n);
  return x;
}

}  // namespace forger
