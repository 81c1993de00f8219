// How the batch norm kernels cut x [M, C]: the same tiles of columns for statistics and for what is made of them.
#pragma once

#include "kernels/cuda/batch_norm.h"
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

/// What normalises a block's columns, in shared memory: y = (x - mean) * scale + shift.
struct Coefficients {
  float mean[kTileColumns], scale[kTileColumns], shift[kTileColumns];

  template <int kWidth>
  __device__ __forceinline__ void of(const ColumnPlace& place, float (&m)[kWidth], float (&s)[kWidth], float (&b)[kWidth]) const {
#pragma unroll
    for (int w = 0; w < kWidth; ++w) {
      m[w] = mean[place.lane * kWidth + w];
      s[w] = scale[place.lane * kWidth + w];
      b[w] = shift[place.lane * kWidth + w];
    }
  }
};

/// From means and sums of squared deviations, which all threads of a column have, to its coefficients; `write` also stores
/// the saved and the running statistics. All threads of the block must call it; it ends with a barrier.
template <int kWidth>
__device__ __forceinline__ void finish_statistics(const BatchNormTraining& args, const ColumnPlace& place,
                                                  const double (&mean)[kWidth], const double (&squares)[kWidth], bool write,
                                                  Coefficients& shared) {
  // One thread per column: square root and division in double take long, and all threads would do them at once.
  if (place.inside && place.row < kWidth) {
    const int64_t c = place.column + place.row;
    const auto rows = static_cast<double>(args.M);
    const double mu = pick(mean, place.row), deviations = pick(squares, place.row), var = deviations / rows;
    const double inv_std = 1.0 / sqrt(var + args.epsilon);
    const unsigned slot = place.lane * kWidth + place.row;
    shared.mean[slot] = static_cast<float>(mu);
    shared.scale[slot] = static_cast<float>(static_cast<double>(args.gamma[c]) * inv_std);
    shared.shift[slot] = args.beta[c];
    if (write) {
      const double unbiased = args.M > 1 ? deviations / (rows - 1) : var, rest = 1 - args.momentum;
      args.mean[c] = static_cast<float>(mu);
      args.inv_std[c] = static_cast<float>(inv_std);
      args.new_running_mean[c] = static_cast<float>(args.momentum * static_cast<double>(args.running_mean[c]) + rest * mu);
      args.new_running_var[c] = static_cast<float>(args.momentum * static_cast<double>(args.running_var[c]) + rest * unbiased);
    }
  }
  __syncthreads();
}

/// One launch for matrices whose columns fit into the registers of a block (batch_norm_registers.cu); false, and nothing
/// done, for others.
bool run_in_registers(const BatchNormTraining& args, int multiprocessors, Stream stream);
bool run_in_registers(const BatchNormGrad& args, int multiprocessors, Stream stream);

}  // namespace forger::FORGER_DEVICE
