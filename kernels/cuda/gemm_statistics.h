// Batch statistics of the columns of C, made by the matrix product that makes C while its tiles are in shared memory.
//
// Every tile gives mean and squared deviations of each of its columns for each group of 64 rows, by two passes over what is
// in shared memory; rows are grouped alike whatever the tile. The last tile of a column of tiles to be done (last_block.h) merges
// the groups in double and in fixed order (Chan, Golub and LeVeque 1983): with many tiles the last of about the root of
// their number first, so that no block reads much alone. Nowhere E[x^2] - mean^2.
#pragma once

#include "kernels/cuda/batch_norm_tiles.h"
#include "kernels/cuda/column_work.h"
#include "kernels/cuda/gemm_tile.h"

namespace forger::FORGER_DEVICE {

inline constexpr int kGroupRows = 64;

struct GemmStatistics {
  float* partials = nullptr;     // [row groups, 2, n], mean and squared deviations
  uint32_t* counters = nullptr;  // per column of tiles: one for each group of tiles, and one for the groups
  int tiles = 0, group = 0;      // of rows; of which so many are merged first
  BatchNormStatistics results = {};
};

/// Merges `count` partial results, `stride` row groups from each other and of so many each, from row group `first` on.
/// f(place, means, squared deviations, rows), for each column of this column of tiles by threads that have its sums.
template <class Engine, int kWidth, class F>
__device__ __forceinline__ void merge_groups(const float* partials, int m, int n, int n0, int first, int stride, int count,
                                             const F& f) {
  using T = typename Engine::TileType;
  constexpr unsigned kThreads = T::kThreads, kLanes = kTileColumns / kWidth, kDepth = kThreads / kLanes;
  constexpr int kUnroll = 4;
  auto& shared = block_shared<GemmShared<T>>().sums;
  const int rows = min(stride * count * kGroupRows, m - first * kGroupRows);
  const auto for_groups = [&](int64_t column, unsigned row, const auto& g) {
    for (int i = static_cast<int>(row); column < n && i < count; i += kUnroll * kDepth) {
      float mean[kUnroll][kWidth] = {}, squares[kUnroll][kWidth] = {};
#pragma unroll
      for (int k = 0; k < kUnroll; ++k) {
        const int at = i + k * static_cast<int>(kDepth);
        if (at >= count) continue;
        const float* const from = partials + (first + int64_t{at} * stride) * 2 * n + column;
        load_partial_columns(from, mean[k]);
        load_partial_columns(from + n, squares[k]);
      }
#pragma unroll
      for (int k = 0; k < kUnroll; ++k) {
        const int at = i + k * static_cast<int>(kDepth);
        if (at < count) g(mean[k], squares[k], static_cast<double>(min(stride * kGroupRows, rows - at * stride * kGroupRows)));
      }
    }
  };
#pragma unroll 1
  for (int c = 0; c < T::kN && n0 + c < n; c += kTileColumns) {
    const unsigned lane = threadIdx.x % kLanes, row = threadIdx.x / kLanes;
    const int64_t column = n0 + c + static_cast<int>(lane) * kWidth;
    double mean[kWidth] = {}, squares[kWidth] = {};
    for_groups(column, row, [&](const float(&group_mean)[kWidth], const float(&group_squares)[kWidth], double group_rows) {
#pragma unroll
      for (int w = 0; w < kWidth; ++w) {
        mean[w] += group_rows * static_cast<double>(group_mean[w]);
        squares[w] += static_cast<double>(group_squares[w]);
      }
    });
    sum_columns(mean, kLanes, shared);
#pragma unroll
    for (int w = 0; w < kWidth; ++w) mean[w] /= static_cast<double>(rows);
    for_groups(column, row, [&](const float(&group_mean)[kWidth], const float(&)[kWidth], double group_rows) {
#pragma unroll
      for (int w = 0; w < kWidth; ++w) {
        const double delta = static_cast<double>(group_mean[w]) - mean[w];
        squares[w] += delta * delta * group_rows;
      }
    });
    sum_columns(squares, kLanes, shared);
    f(ColumnPlace{column, lane, row, column < n}, mean, squares);
  }
}

/// True in the block that has written the results.
template <class Engine, int kWidth, class Problem>
__device__ __forceinline__ bool merge_tiles(const Problem& problem, const GemmStatistics& s, int m0, int n0) {
  using T = typename Engine::TileType;
  constexpr int kGroupsOfTile = T::kM / kGroupRows;
  const int m = problem.m, n = problem.n, tile = m0 / T::kM, group = tile / s.group, groups = (s.tiles + s.group - 1) / s.group;
  const int first = group * s.group, members = min(s.group, s.tiles - first);
  const int row_groups = (m + kGroupRows - 1) / kGroupRows;
  uint32_t* const counters = s.counters + n0 / T::kN * (groups + 1);
  const auto write = [&](const ColumnPlace& place, const double(&mean)[kWidth], const double(&squares)[kWidth]) {
    write_statistics(s.results, place, mean, squares);
  };
  if (!last_block(counters + group, static_cast<unsigned>(members))) return false;
  if (groups == 1) {
    merge_groups<Engine, kWidth>(s.partials, m, n, n0, 0, 1, row_groups, write);
    return true;
  }
  const int first_row_group = first * kGroupsOfTile, stride = s.group * kGroupsOfTile;
  merge_groups<Engine, kWidth>(s.partials, m, n, n0, first_row_group, 1, min(stride, row_groups - first_row_group),
                               [&](const ColumnPlace& place, const double(&mean)[kWidth], const double(&squares)[kWidth]) {
                                 if (!place.inside || place.row > 0) return;
                                 float rounded_mean[kWidth], rounded_squares[kWidth];
#pragma unroll
                                 for (int w = 0; w < kWidth; ++w) {
                                   rounded_mean[w] = static_cast<float>(mean[w]);
                                   rounded_squares[w] = static_cast<float>(squares[w]);
                                 }
                                 float* const to = s.partials + int64_t{first_row_group} * 2 * n + place.column;
                                 store_columns(to, rounded_mean);
                                 store_columns(to + n, rounded_squares);
                               });
  if (!last_block(counters + groups, static_cast<unsigned>(groups))) return false;
  merge_groups<Engine, kWidth>(s.partials, m, n, n0, 0, stride, groups, write);
  return true;
}

/// To be called by all threads once store_tile has written the tile, which is still in shared memory. True in the block that has
/// written the results of this column of tiles.
template <class Engine, class Problem>
__device__ __forceinline__ bool tile_statistics(const Problem& problem, const GemmStatistics& s, int m0, int n0) {
  using T = typename Engine::TileType;
  constexpr int kRow = GemmShared<T>::kRow, kSums = 4;
  const auto& shared = block_shared<GemmShared<T>>();
  __syncthreads();  // sums of splits are there
  for (int i = static_cast<int>(threadIdx.x); i < T::kN * (T::kM / kGroupRows); i += T::kThreads) {
    const int column = i % T::kN, first = i / T::kN * kGroupRows, n = n0 + column, rows = min(kGroupRows, problem.m - m0 - first);
    if (n >= problem.n || rows <= 0) continue;
    const float bias = problem.bias ? problem.bias[n] : 0.f;
    const auto value = [&](int row) { return shared.c[(first + row) * kRow + column] + bias; };  // as it stands in C
    // Differences from the first row keep the digits of a small deviation around a large mean.
    const float pivot = value(0);
    float sums[kSums] = {}, squares[kSums] = {};
    for (int r = 0; r < rows; r += kSums) {
#pragma unroll
      for (int k = 0; k < kSums; ++k) sums[k] += r + k < rows ? value(r + k) - pivot : 0.f;
    }
    const float mean = ((sums[0] + sums[1]) + (sums[2] + sums[3])) / static_cast<float>(rows);
    for (int r = 0; r < rows; r += kSums) {
#pragma unroll
      for (int k = 0; k < kSums; ++k) {
        const float d = r + k < rows ? value(r + k) - pivot - mean : 0.f;
        squares[k] += d * d;
      }
    }
    float* const to = s.partials + int64_t{(m0 + first) / kGroupRows} * 2 * problem.n + n;
    to[0] = pivot + mean;
    to[problem.n] = (squares[0] + squares[1]) + (squares[2] + squares[3]);
  }
  return problem.n % 4 == 0 ? merge_tiles<Engine, 4>(problem, s, m0, n0) : merge_tiles<Engine, 1>(problem, s, m0, n0);
}

}  // namespace forger::FORGER_DEVICE
