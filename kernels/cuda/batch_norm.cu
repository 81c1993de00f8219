// Batch normalisation, forward: y = (x - mean) / sqrt(var + epsilon) * gamma + beta with statistics per column of x [M, C].
//
// Few rows take one launch (batch_norm_registers.cu), the others two. (1) statistics: blocks share columns and rows
// (column_tiles.h). A thread takes eight rows at a time into registers, finds their mean and squared deviations in two passes,
// and merges them with what it had (Chan, Golub and LeVeque 1983); no E[x^2] - mean^2 anywhere, whose cancellation would spoil
// channels with a large mean. The block's threads are merged in double and leave one partial mean and sum of squared deviations
// per column. (2) apply: every block merges the partials of its columns again, all in the same order, which is cheaper than a
// launch of its own, and normalises its rows. The first block of each column writes the saved and the running statistics.
//
// Shared memory: 2 KiB for merging, 384 bytes for the coefficients. y may be x: a thread reads its elements first.
// Limits: none that a tensor reaches.
#include "kernels/cuda/batch_norm.h"

#include "kernels/cuda/batch_norm_tiles.h"

namespace forger::FORGER_DEVICE {
namespace {

/// partials: [splits, 2, C], mean and sum of squared deviations of each split.
template <int kWidth>
__global__ void __launch_bounds__(kColumnThreads)
    batch_norm_statistics_f32_kernel(const ColumnTiles t, const float* __restrict__ x, float* __restrict__ partials) {
  const ColumnPlace place = column_place<kWidth>(t, blockIdx.x);
  const int64_t rows = t.rows_of(blockIdx.y), depth = t.depth();
  const float* const column = x + blockIdx.y * t.rows_per_split * t.columns + place.column;
  // Of this thread's rows so far; means are differences from its first row, which keeps the digits of a small deviation
  // around a large mean.
  float pivot[kWidth] = {}, mean[kWidth] = {}, squares[kWidth] = {}, count = 0.f;
  for (int64_t r = place.row; place.inside && r < rows; r += kStatisticsBatch * depth) {
    float v[kStatisticsBatch][kWidth] = {};
    const auto batch = static_cast<int>(min(int64_t{kStatisticsBatch}, (rows - r + depth - 1) / depth));
#pragma unroll
    for (int k = 0; k < kStatisticsBatch; ++k) {
      if (k < batch) load_columns(column + (r + k * depth) * t.columns, v[k]);
    }
    const auto size = static_cast<float>(batch);
    const float per_row = 1.f / size, share = size / (count + size);
#pragma unroll
    for (int w = 0; w < kWidth; ++w) {
      if (count == 0.f) pivot[w] = v[0][w];
      float sum = 0.f, deviations = 0.f;
#pragma unroll
      for (int k = 0; k < kStatisticsBatch; ++k) {
        v[k][w] = k < batch ? v[k][w] - pivot[w] : 0.f;
        sum += v[k][w];
      }
      const float batch_mean = sum * per_row;
#pragma unroll
      for (int k = 0; k < kStatisticsBatch; ++k) {
        const float d = k < batch ? v[k][w] - batch_mean : 0.f;
        deviations += d * d;
      }
      const float delta = batch_mean - mean[w];
      mean[w] += delta * share;
      squares[w] += deviations + delta * delta * (count * share);
    }
    count += size;
  }

  auto& shared = block_shared<ColumnSums<>>();
  double all[kWidth];
  float block_mean[kWidth], block_squares[kWidth];
#pragma unroll
  for (int w = 0; w < kWidth; ++w)
    all[w] = static_cast<double>(count) * (static_cast<double>(pivot[w]) + static_cast<double>(mean[w]));
  sum_columns(all, t.lanes, shared);
#pragma unroll
  for (int w = 0; w < kWidth; ++w) {
    block_mean[w] = static_cast<float>(all[w] / static_cast<double>(rows));
    const double delta = static_cast<double>(pivot[w] - block_mean[w]) + static_cast<double>(mean[w]);
    all[w] = static_cast<double>(squares[w]) + static_cast<double>(count) * delta * delta;
  }
  sum_columns(all, t.lanes, shared);
  if (!place.inside || place.row > 0) return;
#pragma unroll
  for (int w = 0; w < kWidth; ++w) block_squares[w] = static_cast<float>(all[w]);
  store_columns(partials + partial_place(t, blockIdx.y, 0, place.column), block_mean);
  store_columns(partials + partial_place(t, blockIdx.y, 1, place.column), block_squares);
}

struct ApplyShared {
  ColumnSums<> sums;
  Coefficients coefficients;
};

/// Rows r, r + depth, ... of this thread's columns: y = (x - mean) * scale + shift.
template <int kWidth>
__device__ __forceinline__ void normalise_rows(const ColumnTiles& t, const ColumnPlace& place, const float* x, float* y,
                                               const float (&mean)[kWidth], const float (&scale)[kWidth],
                                               const float (&shift)[kWidth]) {
  const int64_t begin = blockIdx.y * t.rows_per_split, end = begin + t.rows_of(blockIdx.y), depth = t.depth();
  for (int64_t r = begin + place.row; r < end; r += kApplyBatch * depth) {
    float v[kApplyBatch][kWidth] = {};
#pragma unroll
    for (int k = 0; k < kApplyBatch; ++k) {
      if (r + k * depth < end) load_columns(x + (r + k * depth) * t.columns + place.column, v[k]);
    }
#pragma unroll
    for (int k = 0; k < kApplyBatch; ++k) {
#pragma unroll
      for (int w = 0; w < kWidth; ++w) v[k][w] = (v[k][w] - mean[w]) * scale[w] + shift[w];
      if (r + k * depth < end) store_columns(y + (r + k * depth) * t.columns + place.column, v[k]);
    }
  }
}

/// t cuts the rows to normalise, s those of the partials.
template <int kWidth>
__global__ void __launch_bounds__(kColumnThreads)
    batch_norm_apply_f32_kernel(const ColumnTiles t, const ColumnTiles s, const __grid_constant__ BatchNormTraining args,
                                const float* __restrict__ partials) {
  auto& shared = block_shared<ApplyShared>();
  const ColumnPlace place = column_place<kWidth>(t, blockIdx.x);
  const double per_row = 1.0 / static_cast<double>(t.rows);
  double mean[kWidth] = {}, squares[kWidth] = {};
  for_partials<kWidth>(s, partials, place, [&](const float(&m)[kWidth], const float(&m2)[kWidth], double count) {
#pragma unroll
    for (int w = 0; w < kWidth; ++w) {
      mean[w] += count * static_cast<double>(m[w]);
      squares[w] += static_cast<double>(m2[w]);
    }
  });
  sum_columns(mean, s.lanes, shared.sums);
#pragma unroll
  for (int w = 0; w < kWidth; ++w) mean[w] *= per_row;
  for_partials<kWidth>(s, partials, place, [&](const float(&m)[kWidth], const float(&)[kWidth], double count) {
#pragma unroll
    for (int w = 0; w < kWidth; ++w) {
      const double delta = static_cast<double>(m[w]) - mean[w];
      squares[w] += delta * delta * count;
    }
  });
  sum_columns(squares, s.lanes, shared.sums);

  finish_statistics(args, place, mean, squares, blockIdx.y == 0, shared.coefficients);
  if (!place.inside) return;
  float centre[kWidth], scale[kWidth], shift[kWidth];
  shared.coefficients.of(place, centre, scale, shift);
  normalise_rows(t, place, args.x, args.y, centre, scale, shift);
}

template <int kWidth>
__global__ void __launch_bounds__(kColumnThreads)
    batch_norm_inference_f32_kernel(const ColumnTiles t, const __grid_constant__ BatchNormInference args) {
  const ColumnPlace place = column_place<kWidth>(t, blockIdx.x);
  if (!place.inside) return;
  float mean[kWidth], scale[kWidth], shift[kWidth], var[kWidth];
  load_columns(args.mean + place.column, mean);
  load_columns(args.var + place.column, var);
  load_columns(args.gamma + place.column, scale);
  load_columns(args.beta + place.column, shift);
#pragma unroll
  for (int w = 0; w < kWidth; ++w) scale[w] /= sqrtf(var[w] + args.epsilon);
  normalise_rows(t, place, args.x, args.y, mean, scale, shift);
}

}  // namespace

size_t batch_norm_workspace_bytes(int64_t M, int64_t C, int multiprocessors) {
  return sizeof(float) * 2 * static_cast<size_t>(statistics_tiles(M, C, multiprocessors).splits * C);
}

void batch_norm_training(const BatchNormTraining& args, int multiprocessors, void* workspace, Stream stream) {
  if (args.M == 0 || args.C == 0) return;
  if (run_in_registers(args, multiprocessors, stream)) return;
  const ColumnTiles s = statistics_tiles(args.M, args.C, multiprocessors), t = apply_tiles(args.M, args.C, multiprocessors);
  auto* const partials = static_cast<float*>(workspace);
  launch(s.width == 4 ? batch_norm_statistics_f32_kernel<4> : batch_norm_statistics_f32_kernel<1>,
         shape_of(s, sizeof(ColumnSums<>)), stream, s, args.x, partials);
  launch(t.width == 4 ? batch_norm_apply_f32_kernel<4> : batch_norm_apply_f32_kernel<1>, shape_of(t, sizeof(ApplyShared)), stream,
         t, s, args, partials);
}

void batch_norm_inference(const BatchNormInference& args, int multiprocessors, Stream stream) {
  if (args.M == 0 || args.C == 0) return;
  const ColumnTiles t = apply_tiles(args.M, args.C, multiprocessors);
  launch(t.width == 4 ? batch_norm_inference_f32_kernel<4> : batch_norm_inference_f32_kernel<1>, shape_of(t, 0), stream, t, args);
}

}  // namespace forger::FORGER_DEVICE
