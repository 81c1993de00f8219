// Sums down the columns of a row-major matrix [rows, columns]: how blocks and threads share it.
//
// A thread owns kWidth neighbouring columns (4: 16-byte accesses, where columns is a multiple of 4; else 1). `lanes` threads
// stand side by side, so that a warp reads whole 128-byte lines, and kColumnThreads / lanes rows of them make a block.
// Blocks stand side by side over the columns (tiles) and one below the other over the rows (splits).
#pragma once

#include <algorithm>

#include "kernels/cuda/launch.h"

namespace forger::FORGER_DEVICE {

inline constexpr unsigned kColumnThreads = 256;
inline constexpr unsigned kTileColumns = 32;  // of a block, at most: one 128-byte line

struct ColumnTiles {
  int64_t rows = 0, columns = 0;
  int width = 1;  // columns of a thread
  unsigned lanes = 1, tiles = 1;
  int64_t splits = 1, rows_per_split = 0;

  /// Rows that a block's threads cover at once.
  __device__ __forceinline__ unsigned depth(unsigned threads = kColumnThreads) const { return threads / lanes; }
  /// Number of rows in a split.
  __device__ __forceinline__ int64_t rows_of(int64_t split) const { return min(rows_per_split, rows - split * rows_per_split); }
};

/// At most max_splits splits, of at least `min_rows_per_thread` rows for each thread, and about `blocks` blocks in all.
inline ColumnTiles column_tiles(int64_t rows, int64_t columns, int64_t max_splits, int64_t min_rows_per_thread, int64_t blocks) {
  ColumnTiles t{.rows = rows, .columns = columns, .width = columns % 4 == 0 ? 4 : 1};
  const int64_t groups = columns / t.width;
  while (t.lanes < groups && t.lanes * static_cast<unsigned>(t.width) < kTileColumns) t.lanes *= 2;
  t.tiles = static_cast<unsigned>(ceil_div(groups, t.lanes));
  const int64_t depth = kColumnThreads / t.lanes;
  const int64_t wanted = std::min({max_splits, ceil_div(blocks, t.tiles), rows / (depth * min_rows_per_thread)});
  t.rows_per_split = std::max<int64_t>(ceil_div(rows, std::max<int64_t>(wanted, 1)), 1);
  t.splits = std::max<int64_t>(ceil_div(rows, t.rows_per_split), 1);
  return t;
}

/// A thread's place: its columns, and its row within the block.
struct ColumnPlace {
  int64_t column;  // first of kWidth
  unsigned lane, row;
  bool inside;
};
template <int kWidth>
__device__ __forceinline__ ColumnPlace column_place(const ColumnTiles& t, unsigned tile) {
  const unsigned lane = threadIdx.x % t.lanes;
  const int64_t column = (int64_t{tile} * t.lanes + lane) * kWidth;
  return {column, lane, threadIdx.x / t.lanes, column < t.columns};
}

/// kWidth neighbouring floats; p is aligned to all of them.
template <int kWidth>
__device__ __forceinline__ void load_columns(const float* p, float (&v)[kWidth]) {
  if constexpr (kWidth == 4) {
    const float4 q = *reinterpret_cast<const float4*>(p);
    v[0] = q.x;
    v[1] = q.y;
    v[2] = q.z;
    v[3] = q.w;
  } else {
    v[0] = *p;
  }
}
/// The same past L1: what other blocks of this launch have written.
template <int kWidth>
__device__ __forceinline__ void load_partial_columns(const float* p, float (&v)[kWidth]) {
  if constexpr (kWidth == 4) {
    const float4 q = __ldcg(reinterpret_cast<const float4*>(p));
    v[0] = q.x;
    v[1] = q.y;
    v[2] = q.z;
    v[3] = q.w;
  } else {
    v[0] = __ldcg(p);
  }
}
template <int kWidth>
__device__ __forceinline__ void store_columns(float* p, const float (&v)[kWidth]) {
  if constexpr (kWidth == 4) {
    *reinterpret_cast<float4*>(p) = make_float4(v[0], v[1], v[2], v[3]);
  } else {
    *p = v[0];
  }
}

/// Shared memory of sum_columns.
template <unsigned kThreads = kColumnThreads>
struct ColumnSums {
  double warps[kThreads / 32][kTileColumns];
};

/// Adds v over the threads of the block that own the same columns, in a fixed order; all of them get the sums. All threads
/// of the block must call it. Ends with a barrier, so that `shared` may be used again.
template <int kWidth, unsigned kThreads>
__device__ __forceinline__ void sum_columns(double (&v)[kWidth], unsigned lanes, ColumnSums<kThreads>& shared) {
  for (unsigned offset = 16; offset >= lanes; offset /= 2) {
#pragma unroll
    for (int w = 0; w < kWidth; ++w) v[w] += __shfl_xor_sync(0xFFFFFFFFu, v[w], static_cast<int>(offset));
  }
  const unsigned in_warp = threadIdx.x % 32, column = threadIdx.x % lanes * kWidth;
  if (in_warp < lanes) {
#pragma unroll
    for (int w = 0; w < kWidth; ++w) shared.warps[threadIdx.x / 32][column + w] = v[w];
  }
  __syncthreads();
#pragma unroll
  for (int w = 0; w < kWidth; ++w) {
    v[w] = 0;
#pragma unroll
    for (unsigned i = 0; i < kThreads / 32; ++i) v[w] += shared.warps[i][column + w];
  }
  __syncthreads();
}

}  // namespace forger::FORGER_DEVICE
