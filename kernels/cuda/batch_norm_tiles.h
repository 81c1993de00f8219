// How the batch norm kernels cut x [M, C]: the same tiles of columns for statistics and for what is made of them.
#pragma once

#include "kernels/cuda/column_tiles.h"

namespace forger::FORGER_DEVICE {

/// Rows whose loads a thread has in flight.
inline constexpr int kStatisticsBatch = 8, kApplyBatch = 4;
/// Every block of the second launch reads all splits of its columns: more splits than this cost more than they bring.
inline constexpr int64_t kMaxBatchNormSplits = 128;

/// Enough blocks for every multiprocessor, but not so many that threads have less than four rows.
inline ColumnTiles statistics_tiles(int64_t M, int64_t C, int multiprocessors) {
  return column_tiles(M, C, kMaxBatchNormSplits, 4, 2 * multiprocessors);
}
inline ColumnTiles apply_tiles(int64_t M, int64_t C, int multiprocessors) {
  return column_tiles(M, C, 65535, kApplyBatch, 4 * multiprocessors);
}
inline LaunchShape shape_of(const ColumnTiles& t, size_t shared_bytes) {
  return {.grid_x = t.tiles, .grid_y = static_cast<unsigned>(t.splits), .threads = kColumnThreads, .shared_bytes = shared_bytes};
}

/// Two partial sums per split and column: [splits, 2, C].
__device__ __forceinline__ int64_t partial_place(const ColumnTiles& t, int64_t split, int which, int64_t column) {
  return (split * 2 + which) * t.columns + column;
}

/// f(first, second, rows) for both partials of this thread's share of the splits; four splits' loads are in flight.
template <int kWidth, class F>
__device__ __forceinline__ void for_partials(const ColumnTiles& t, const float* __restrict__ partials, const ColumnPlace& place,
                                             const F& f) {
  constexpr int kUnroll = 4;
  for (int64_t i = place.row; place.inside && i < t.splits; i += kUnroll * t.depth()) {
    float first[kUnroll][kWidth] = {}, second[kUnroll][kWidth] = {};
#pragma unroll
    for (int k = 0; k < kUnroll; ++k) {
      const int64_t split = i + k * t.depth();
      if (split >= t.splits) continue;
      load_columns(partials + partial_place(t, split, 0, place.column), first[k]);
      load_columns(partials + partial_place(t, split, 1, place.column), second[k]);
    }
#pragma unroll
    for (int k = 0; k < kUnroll; ++k) {
      const int64_t split = i + k * t.depth();
      if (split < t.splits) f(first[k], second[k], static_cast<double>(t.rows_of(split)));
    }
  }
}

/// v[i] for an i that is known at run time only: a register array has no addresses.
template <int kWidth, class T>
__device__ __forceinline__ T pick(const T (&v)[kWidth], unsigned i) {
  T value = v[0];
#pragma unroll
  for (int w = 1; w < kWidth; ++w) {
    if (i == static_cast<unsigned>(w)) value = v[w];
  }
  return value;
}

}  // namespace forger::FORGER_DEVICE
