// A block's part of the sums down the columns of a matrix (column_tiles.h), finished by the last split (last_block.h).
#pragma once

#include "kernels/cuda/column_tiles.h"
#include "kernels/cuda/last_block.h"

namespace forger::FORGER_DEVICE {

/// Block (tile, split) of x [rows, columns] -> y [columns], partials [splits, columns]. A thread adds in float, four rows at a
/// time; the threads of a block and the splits are added in double. All of the block's kThreads threads must call it.
template <int kWidth, unsigned kThreads>
__device__ __forceinline__ void column_sum_block(const ColumnTiles& t, unsigned tile, unsigned split, const float* __restrict__ x,
                                                 float* __restrict__ y, float* partials, uint32_t* counter,
                                                 ColumnSums<kThreads>& shared) {
  constexpr int kUnroll = 4;
  const unsigned depth = t.depth(kThreads);
  const ColumnPlace place = column_place<kWidth>(t, tile);
  const int64_t begin = split * t.rows_per_split, end = min(begin + t.rows_per_split, t.rows);
  float sums[kUnroll][kWidth] = {};
  if (place.inside) {
    for (int64_t r = begin + place.row; r < end; r += kUnroll * depth) {
#pragma unroll
      for (int k = 0; k < kUnroll; ++k) {
        const int64_t row = r + k * depth;
        float v[kWidth] = {};
        if (row < end) load_columns(x + row * t.columns + place.column, v);
#pragma unroll
        for (int w = 0; w < kWidth; ++w) sums[k][w] += v[w];
      }
    }
  }
  double total[kWidth];
#pragma unroll
  for (int w = 0; w < kWidth; ++w) total[w] = static_cast<double>((sums[0][w] + sums[1][w]) + (sums[2][w] + sums[3][w]));
  const auto sum_and_store = [&](float* to) {
    sum_columns(total, t.lanes, shared);
    if (!place.inside || place.row > 0) return;
    float result[kWidth];
#pragma unroll
    for (int w = 0; w < kWidth; ++w) result[w] = static_cast<float>(total[w]);
    store_columns(to + place.column, result);
  };
  const auto splits = static_cast<unsigned>(t.splits);
  sum_and_store(splits == 1 ? y : partials + split * t.columns);
  if (splits == 1 || !last_block(counter, splits)) return;
#pragma unroll
  for (int w = 0; w < kWidth; ++w) total[w] = 0;
  for (unsigned s = place.row; place.inside && s < splits; s += kUnroll * depth) {
    float v[kUnroll][kWidth] = {};
#pragma unroll
    for (int k = 0; k < kUnroll; ++k) {
      if (s + k * depth < splits) load_partial_columns(partials + int64_t{s + k * depth} * t.columns + place.column, v[k]);
    }
#pragma unroll
    for (int k = 0; k < kUnroll; ++k) {
#pragma unroll
      for (int w = 0; w < kWidth; ++w) total[w] += static_cast<double>(v[k][w]);
    }
  }
  sum_and_store(y);
}

/// The tiles of a matrix whose number of splits is known.
inline ColumnTiles column_tiles_of(int64_t rows, int64_t columns, int64_t splits) {
  ColumnTiles t = column_tiles(rows, columns, 1, 1, 1);
  t.rows_per_split = std::max<int64_t>(ceil_div(rows, splits), 1);
  t.splits = splits;
  return t;
}

}  // namespace forger::FORGER_DEVICE
