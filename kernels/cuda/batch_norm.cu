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
#include "kernels/cuda/last_block.h"

namespace forger::FORGER_DEVICE {
namespace {

/// What the statistics kernel does once all partials of a column are there.
struct LeaveThem {
  template <int kWidth>
  __device__ __forceinline__ void operator()(const ColumnTiles&, const float*, const ColumnPlace&, ColumnSums<>&) const {}
};
/// The last block of a tile of columns merges them and writes the results.
struct MergeThem {
  BatchNormStatistics results;
  uint32_t* counters;  // one for each tile

  template <int kWidth>
  __device__ __forceinline__ void operator()(const ColumnTiles& t, const float* partials, const ColumnPlace& place,
                                             ColumnSums<>& shared) const {
    if (!last_block(counters + blockIdx.x, gridDim.y)) return;
    double mean[kWidth], squares[kWidth];
    merge_partials(t, partials, place, shared, mean, squares);
    write_statistics(results, place, mean, squares);
  }
};

/// partials: [splits, 2, C], mean and sum of squared deviations of each split.
template <int kWidth, class Then>
__global__ void __launch_bounds__(kColumnThreads)
    batch_norm_statistics_f32_kernel(const ColumnTiles t, const float* __restrict__ x, float* partials,
                                     const __grid_constant__ Then then) {
  begin_kernel();
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
  if (place.inside && place.row == 0) {
#pragma unroll
    for (int w = 0; w < kWidth; ++w) block_squares[w] = static_cast<float>(all[w]);
    store_columns(partials + partial_place(t, blockIdx.y, 0, place.column), block_mean);
    store_columns(partials + partial_place(t, blockIdx.y, 1, place.column), block_squares);
  }
  then.template operator()<kWidth>(t, partials, place, shared);
}

struct ApplyShared {
  ColumnSums<> sums;
  Coefficients coefficients;
};

/// Rows r, r + depth, ... of this thread's columns: y = tape((x - mean) * scale + shift).
template <int kWidth, class Tape>
__device__ __forceinline__ void normalise_rows(const ColumnTiles& t, const ColumnPlace& place, const float* x, float* y,
                                               const float (&mean)[kWidth], const float (&scale)[kWidth],
                                               const float (&shift)[kWidth], const Tape& tape) {
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
    }
    int64_t first[kApplyBatch];
#pragma unroll
    for (int k = 0; k < kApplyBatch; ++k) first[k] = (r + k * depth < end ? r + k * depth : r) * t.columns + place.column;
    apply_tape(tape, v, first);
#pragma unroll
    for (int k = 0; k < kApplyBatch; ++k) {
      if (r + k * depth < end) store_columns(y + first[k], v[k]);
    }
  }
}

/// t cuts the rows to normalise, s those of the partials.
template <int kWidth, class Tape>
__global__ void __launch_bounds__(kColumnThreads)
    batch_norm_apply_f32_kernel(const ColumnTiles t, const ColumnTiles s, const __grid_constant__ BatchNormTraining args,
                                const float* partials, const __grid_constant__ Tape tape) {
  begin_kernel();
  auto& shared = block_shared<ApplyShared>();
  const ColumnPlace place = column_place<kWidth>(t, blockIdx.x);
  double mean[kWidth], squares[kWidth];
  merge_partials(s, partials, place, shared.sums, mean, squares);
  finish_statistics(args, place, mean, squares, blockIdx.y == 0, shared.coefficients);
  if (!place.inside) return;
  float centre[kWidth], scale[kWidth], shift[kWidth];
  shared.coefficients.of(place, centre, scale, shift);
  normalise_rows(t, place, args.x, args.y, centre, scale, shift, tape);
}

template <int kWidth, class Tape>
__global__ void __launch_bounds__(kColumnThreads)
    batch_norm_inference_f32_kernel(const ColumnTiles t, const __grid_constant__ BatchNormInference args,
                                    const __grid_constant__ Tape tape) {
  begin_kernel();
  const ColumnPlace place = column_place<kWidth>(t, blockIdx.x);
  if (!place.inside) return;
  float mean[kWidth], scale[kWidth], shift[kWidth], spread[kWidth];
  load_columns(args.mean + place.column, mean);
  load_columns((args.inv_std ? args.inv_std : args.var) + place.column, spread);
  load_columns(args.gamma + place.column, scale);
  load_columns(args.beta + place.column, shift);
#pragma unroll
  for (int w = 0; w < kWidth; ++w) {
    scale[w] = args.inv_std ? scale[w] * spread[w] : scale[w] / sqrtf(spread[w] + args.epsilon);
  }
  normalise_rows(t, place, args.x, args.y, mean, scale, shift, tape);
}

}  // namespace

size_t batch_norm_workspace_bytes(int64_t M, int64_t C, int multiprocessors) {
  return sizeof(float) * 2 * static_cast<size_t>(statistics_tiles(M, C, multiprocessors).splits * C);
}

void batch_norm_training(const BatchNormTraining& args, int multiprocessors, void* workspace, Stream stream,
                         const EpilogueArgs& epilogue) {
  if (args.M == 0 || args.C == 0) return;
  if (run_in_registers(args, multiprocessors, stream, epilogue)) return;
  const ColumnTiles s = statistics_tiles(args.M, args.C, multiprocessors), t = apply_tiles(args.M, args.C, multiprocessors);
  auto* const partials = static_cast<float*>(workspace);
  launch(s.width == 4 ? batch_norm_statistics_f32_kernel<4, LeaveThem> : batch_norm_statistics_f32_kernel<1, LeaveThem>,
         shape_of(s, sizeof(ColumnSums<>)), stream, s, args.x, partials, LeaveThem{});
  with_tape(epilogue, args.M * args.C, [&]<class Tape>(const Tape& tape) {
    launch(t.width == 4 ? batch_norm_apply_f32_kernel<4, Tape> : batch_norm_apply_f32_kernel<1, Tape>,
           shape_of(t, sizeof(ApplyShared)), stream, t, s, args, partials, tape);
  });
}

size_t batch_norm_statistics_counters(int64_t M, int64_t C, int multiprocessors) {
  return statistics_tiles(M, C, multiprocessors).tiles;
}

void batch_norm_statistics(const float* x, const BatchNormStatistics& args, int multiprocessors, void* workspace,
                           uint32_t* counters, Stream stream) {
  if (args.M == 0 || args.C == 0) return;
  const ColumnTiles t = statistics_tiles(args.M, args.C, multiprocessors);
  launch(t.width == 4 ? batch_norm_statistics_f32_kernel<4, MergeThem> : batch_norm_statistics_f32_kernel<1, MergeThem>,
         shape_of(t, sizeof(ColumnSums<>)), stream, t, x, static_cast<float*>(workspace), MergeThem{args, counters});
}

void batch_norm_inference(const BatchNormInference& args, int multiprocessors, Stream stream, const EpilogueArgs& epilogue) {
  if (args.M == 0 || args.C == 0) return;
  const ColumnTiles t = apply_tiles(args.M, args.C, multiprocessors);
  with_tape(epilogue, args.M * args.C, [&]<class Tape>(const Tape& tape) {
    launch(t.width == 4 ? batch_norm_inference_f32_kernel<4, Tape> : batch_norm_inference_f32_kernel<1, Tape>, shape_of(t, 0),
           stream, t, args, tape);
  });
}

}  // namespace forger::FORGER_DEVICE
