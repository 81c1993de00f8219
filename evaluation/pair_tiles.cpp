#include "evaluation/pair_tiles.h"

#include "kernels/common/vec.h"

namespace forger::FORGER_ISA {
namespace {

static_assert(kPairWidth % kLanes == 0);

/// A register's width of the strip at a time: Rows sums, which do not wait for one another.
template <bool Distance, int64_t Rows>
void tile(const float* a, const float* strip, int64_t d, float* out, int64_t pitch) {
  for (int64_t w = 0; w < kPairWidth; w += kLanes) {
    VF sums[Rows] = {};
    for (int64_t k = 0; k < d; ++k) {
      const VF b = load(strip + k * kPairWidth + w);
      for (int64_t r = 0; r < Rows; ++r) {
        const VF x = splat(a[r * d + k]), difference = x - b;
        sums[r] += Distance ? difference * difference : x * b;
      }
    }
    for (int64_t r = 0; r < Rows; ++r) store(out + r * pitch + w, sums[r]);
  }
}

template <bool Distance>
void rows_of_tiles(const float* a, int64_t rows, const float* strip, int64_t d, float* out, int64_t pitch) {
  if (rows == kPairRows) return tile<Distance, kPairRows>(a, strip, d, out, pitch);
  for (int64_t r = 0; r < rows; ++r) tile<Distance, 1>(a + r * d, strip, d, out + r * pitch, pitch);
}

}  // namespace

void distance_tile(const float* a, int64_t rows, const float* strip, int64_t d, float* out, int64_t pitch) {
  rows_of_tiles<true>(a, rows, strip, d, out, pitch);
}

void product_tile(const float* a, int64_t rows, const float* strip, int64_t d, float* out, int64_t pitch) {
  rows_of_tiles<false>(a, rows, strip, d, out, pitch);
}

}  // namespace forger::FORGER_ISA
