// How the batch norm kernels cut x [M, C]: the same tiles of columns for statistics and for what is made of them.
#pragma once

#include "kernels/cuda/batch_norm.h"
#include "kernels/cuda/column_tiles.h"
#include "kernels/cuda/epilogue.h"

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
__device__ __forceinline__ void for_partials(const ColumnTiles& t, const float* partials, const ColumnPlace& place, const F& f) {
  constexpr int kUnroll = 4;
  for (int64_t i = place.row; place.inside && i < t.splits; i += kUnroll * t.depth()) {
    float first[kUnroll][kWidth] = {}, second[kUnroll][kWidth] = {};
#pragma unroll
    for (int k = 0; k < kUnroll; ++k) {
      const int64_t split = i + k * t.depth();
      if (split >= t.splits) continue;
      load_partial_columns(partials + partial_place(t, split, 0, place.column), first[k]);
      load_partial_columns(partials + partial_place(t, split, 1, place.column), second[k]);
    }
#pragma unroll
    for (int k = 0; k < kUnroll; ++k) {
      const int64_t split = i + k * t.depth();
      if (split < t.splits) f(first[k], second[k], static_cast<double>(t.rows_of(split)));
    }
  }
}

/// Means and sums of squared deviations of this thread's columns, from the partials [splits, 2, C] that hold those of each split.
template <int kWidth>
__device__ __forceinline__ void merge_partials(const ColumnTiles& t, const float* partials, const ColumnPlace& place,
                                               ColumnSums<>& shared, double (&mean)[kWidth], double (&squares)[kWidth]) {
#pragma unroll
  for (int w = 0; w < kWidth; ++w) mean[w] = squares[w] = 0;
  for_partials<kWidth>(t, partials, place, [&](const float(&m)[kWidth], const float(&m2)[kWidth], double count) {
#pragma unroll
    for (int w = 0; w < kWidth; ++w) {
      mean[w] += count * static_cast<double>(m[w]);
      squares[w] += static_cast<double>(m2[w]);
    }
  });
  sum_columns(mean, t.lanes, shared);
  const double per_row = 1.0 / static_cast<double>(t.rows);
#pragma unroll
  for (int w = 0; w < kWidth; ++w) mean[w] *= per_row;
  for_partials<kWidth>(t, partials, place, [&](const float(&m)[kWidth], const float(&)[kWidth], double count) {
#pragma unroll
    for (int w = 0; w < kWidth; ++w) {
      const double delta = static_cast<double>(m[w]) - mean[w];
      squares[w] += delta * delta * count;
    }
  });
  sum_columns(squares, t.lanes, shared);
}

/// Kernels without a tape need fewer registers.
template <class Tape>
inline constexpr bool kHasTape = !std::is_same_v<Tape, NoEpilogue>;
template <int kRows, int kWidth>
__device__ __forceinline__ void apply_tape(const NoEpilogue&, float (&)[kRows][kWidth], const int64_t (&)[kRows]) {}
/// The tape of kRows times kWidth elements, those of row k from element first[k] on, which is inside the tensor.
template <int kRows, int kWidth>
__device__ __forceinline__ void apply_tape(const Epilogue& tape, float (&v)[kRows][kWidth], const int64_t (&first)[kRows]) {
  float4 quads[kRows];
#pragma unroll
  for (int k = 0; k < kRows; ++k) {
    if constexpr (kWidth == 4) {
      quads[k] = make_float4(v[k][0], v[k][1], v[k][2], v[k][3]);
    } else {
      quads[k] = make_float4(v[k][0], 0.f, 0.f, 0.f);
    }
  }
  tape.apply(quads, first);
#pragma unroll
  for (int k = 0; k < kRows; ++k) {
    v[k][0] = quads[k].x;
    if constexpr (kWidth == 4) v[k][1] = quads[k].y, v[k][2] = quads[k].z, v[k][3] = quads[k].w;
  }
}

/// f(tape) for kernels on n elements.
template <class F>
void with_tape(const EpilogueArgs& args, int64_t n, const F& f) {
  if (args.tape) {
    f(Epilogue(args, n));
  } else {
    f(NoEpilogue(args, n));
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

/// Writes a column's statistics: from its mean and its sum of squared deviations.
template <class Args>
__device__ __forceinline__ void write_column_statistics(const Args& args, int64_t c, double mean, double squares,
                                                        double inv_std) {
  const auto rows = static_cast<double>(args.M);
  const double unbiased = args.M > 1 ? squares / (rows - 1) : squares / rows, rest = 1 - args.momentum;
  args.mean[c] = static_cast<float>(mean);
  args.inv_std[c] = static_cast<float>(inv_std);
  args.new_running_mean[c] = static_cast<float>(args.momentum * static_cast<double>(args.running_mean[c]) + rest * mean);
  args.new_running_var[c] = static_cast<float>(args.momentum * static_cast<double>(args.running_var[c]) + rest * unbiased);
}

/// The same for kWidth columns, by one thread for each of them; all threads that own them have both sums.
template <int kWidth>
__device__ __forceinline__ void write_statistics(const BatchNormStatistics& args, const ColumnPlace& place,
                                                 const double (&mean)[kWidth], const double (&squares)[kWidth]) {
  if (!place.inside || place.row >= kWidth) return;
  const double mu = pick(mean, place.row), deviations = pick(squares, place.row);
  const double inv_std = 1.0 / sqrt(deviations / static_cast<double>(args.M) + args.epsilon);
  write_column_statistics(args, place.column + place.row, mu, deviations, inv_std);
}

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
    if (write) write_column_statistics(args, c, mu, deviations, inv_std);
  }
  __syncthreads();
}

/// One launch for matrices whose columns fit into the registers of a block (batch_norm_registers.cu); false, and nothing
/// done, for others.
bool run_in_registers(const BatchNormTraining& args, int multiprocessors, Stream stream, const EpilogueArgs& epilogue);
bool run_in_registers(const BatchNormGrad& args, int multiprocessors, Stream stream, const EpilogueArgs& prologue);

}  // namespace forger::FORGER_DEVICE
