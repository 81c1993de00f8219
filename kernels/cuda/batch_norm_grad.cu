// Batch normalisation, backward. With xhat = (x - mean) * inv_std over rows of [M, C]:
//   dbeta = sum dy, dgamma = sum dy * xhat, dx = gamma * inv_std * (dy - dbeta / M - xhat * dgamma / M).
//
// Few rows take one launch (batch_norm_registers.cu), the others two, as in batch_norm.cu: (1) partial sums per split of rows,
// (2) every block adds the partials of its columns in the same order, in double, and makes its rows of dx; the first block of
// each column writes dgamma and dbeta. Where a convolution made the sums as it made dy (gemm_columns.h), only (2) is left. A tape
// on dy is run by (1), which leaves its result in dx: (2) reads that. Shared memory: 2 KiB. dx may be dy: a thread reads its
// elements first. Limits: as batch_norm.cu.
#include "kernels/cuda/batch_norm.h"
#include "kernels/cuda/batch_norm_tiles.h"

namespace forger::FORGER_DEVICE {
namespace {

/// partials: [splits, 2, C], sums of dy and of dy * xhat.
template <int kWidth, class Tape>
__global__ void __launch_bounds__(kColumnThreads)
    batch_norm_grad_sums_f32_kernel(const ColumnTiles t, const __grid_constant__ BatchNormGrad args, float* __restrict__ partials,
                                    const __grid_constant__ Tape tape) {
  begin_kernel();
  const ColumnPlace place = column_place<kWidth>(t, blockIdx.x);
  double sum_dy[kWidth] = {}, sum_dy_xhat[kWidth] = {};
  if (place.inside) {
    float mean[kWidth], inv_std[kWidth];
    load_columns(args.mean + place.column, mean);
    load_columns(args.inv_std + place.column, inv_std);
    float sums[kApplyBatch][kWidth] = {}, products[kApplyBatch][kWidth] = {};
    const int64_t begin = blockIdx.y * t.rows_per_split, end = begin + t.rows_of(blockIdx.y), depth = t.depth();
    for (int64_t r = begin + place.row; r < end; r += kApplyBatch * depth) {
      float x[kApplyBatch][kWidth] = {}, dy[kApplyBatch][kWidth] = {};
#pragma unroll
      for (int k = 0; k < kApplyBatch; ++k) {
        if (r + k * depth >= end) continue;
        load_columns(args.x + (r + k * depth) * t.columns + place.column, x[k]);
        load_columns(args.dy + (r + k * depth) * t.columns + place.column, dy[k]);
      }
      if constexpr (kHasTape<Tape>) {
        int64_t first[kApplyBatch];
#pragma unroll
        for (int k = 0; k < kApplyBatch; ++k) first[k] = (r + k * depth < end ? r + k * depth : r) * t.columns + place.column;
        apply_tape(tape, dy, first);
#pragma unroll
        for (int k = 0; k < kApplyBatch; ++k) {
          if (r + k * depth < end) {
            store_columns(args.dx + first[k], dy[k]);
          } else {
#pragma unroll
            for (int w = 0; w < kWidth; ++w) dy[k][w] = 0.f;
          }
        }
      }
#pragma unroll
      for (int k = 0; k < kApplyBatch; ++k) {
#pragma unroll
        for (int w = 0; w < kWidth; ++w) {
          sums[k][w] += dy[k][w];  // rows beyond the end have dy = 0
          products[k][w] += dy[k][w] * ((x[k][w] - mean[w]) * inv_std[w]);
        }
      }
    }
#pragma unroll
    for (int w = 0; w < kWidth; ++w) {
#pragma unroll
      for (int k = 0; k < kApplyBatch; ++k) {
        sum_dy[w] += static_cast<double>(sums[k][w]);
        sum_dy_xhat[w] += static_cast<double>(products[k][w]);
      }
    }
  }
  auto& shared = block_shared<ColumnSums<>>();
  sum_columns(sum_dy, t.lanes, shared);
  sum_columns(sum_dy_xhat, t.lanes, shared);
  if (!place.inside || place.row > 0) return;
  float first[kWidth], second[kWidth];
#pragma unroll
  for (int w = 0; w < kWidth; ++w) {
    first[w] = static_cast<float>(sum_dy[w]);
    second[w] = static_cast<float>(sum_dy_xhat[w]);
  }
  store_columns(partials + partial_place(t, blockIdx.y, 0, place.column), first);
  store_columns(partials + partial_place(t, blockIdx.y, 1, place.column), second);
}

/// t cuts the rows of dx, s those of the partials.
template <int kWidth>
__global__ void __launch_bounds__(kColumnThreads)
    batch_norm_grad_apply_f32_kernel(const ColumnTiles t, const ColumnTiles s, const __grid_constant__ BatchNormGrad args,
                                     const float* __restrict__ partials) {
  begin_kernel();
  auto& shared = block_shared<ColumnSums<>>();
  const ColumnPlace place = column_place<kWidth>(t, blockIdx.x);
  double sum_dy[kWidth] = {}, sum_dy_xhat[kWidth] = {};
  for_partials<kWidth>(s, partials, place, [&](const float(&dy)[kWidth], const float(&dy_xhat)[kWidth], double) {
#pragma unroll
    for (int w = 0; w < kWidth; ++w) {
      sum_dy[w] += static_cast<double>(dy[w]);
      sum_dy_xhat[w] += static_cast<double>(dy_xhat[w]);
    }
  });
  sum_columns(sum_dy, s.lanes, shared);
  sum_columns(sum_dy_xhat, s.lanes, shared);
  if (!place.inside) return;
  float mean[kWidth], inv_std[kWidth], slope[kWidth], mean_dy[kWidth], mean_dy_xhat[kWidth];
  load_columns(args.mean + place.column, mean);
  load_columns(args.inv_std + place.column, inv_std);
  load_columns(args.gamma + place.column, slope);
  const double per_row = 1.0 / static_cast<double>(t.rows);
#pragma unroll
  for (int w = 0; w < kWidth; ++w) {
    slope[w] *= inv_std[w];
    mean_dy[w] = static_cast<float>(sum_dy[w] * per_row);
    mean_dy_xhat[w] = static_cast<float>(sum_dy_xhat[w] * per_row);
  }
  if (blockIdx.y == 0 && place.row == 0) {
    float dbeta[kWidth], dgamma[kWidth];
#pragma unroll
    for (int w = 0; w < kWidth; ++w) {
      dbeta[w] = static_cast<float>(sum_dy[w]);
      dgamma[w] = static_cast<float>(sum_dy_xhat[w]);
    }
    store_columns(args.dbeta + place.column, dbeta);
    store_columns(args.dgamma + place.column, dgamma);
  }
  const int64_t begin = blockIdx.y * t.rows_per_split, end = begin + t.rows_of(blockIdx.y), depth = t.depth();
  for (int64_t r = begin + place.row; r < end; r += kApplyBatch * depth) {
    float x[kApplyBatch][kWidth] = {}, dy[kApplyBatch][kWidth] = {};
#pragma unroll
    for (int k = 0; k < kApplyBatch; ++k) {
      if (r + k * depth >= end) continue;
      load_columns(args.x + (r + k * depth) * t.columns + place.column, x[k]);
      load_columns(args.dy + (r + k * depth) * t.columns + place.column, dy[k]);
    }
#pragma unroll
    for (int k = 0; k < kApplyBatch; ++k) {
#pragma unroll
      for (int w = 0; w < kWidth; ++w) {
        const float xhat = (x[k][w] - mean[w]) * inv_std[w];
        dy[k][w] = slope[w] * (dy[k][w] - mean_dy[w] - xhat * mean_dy_xhat[w]);
      }
      if (r + k * depth < end) store_columns(args.dx + (r + k * depth) * t.columns + place.column, dy[k]);
    }
  }
}

/// s: as of batch_norm_grad_apply_f32_kernel.
void launch_apply(const BatchNormGrad& args, const ColumnTiles& s, const float* partials, int multiprocessors, Stream stream) {
  const ColumnTiles t = apply_tiles(args.M, args.C, multiprocessors);
  launch(t.width == 4 ? batch_norm_grad_apply_f32_kernel<4> : batch_norm_grad_apply_f32_kernel<1>,
         shape_of(t, sizeof(ColumnSums<>)), stream, t, s, args, partials);
}

}  // namespace

void batch_norm_grad(const BatchNormGrad& args, int multiprocessors, void* workspace, Stream stream,
                     const EpilogueArgs& prologue) {
  if (args.M == 0 || args.C == 0) return;
  if (run_in_registers(args, multiprocessors, stream, prologue)) return;
  const ColumnTiles s = statistics_tiles(args.M, args.C, multiprocessors);
  auto* const partials = static_cast<float*>(workspace);
  BatchNormGrad rest = args;
  with_tape(prologue, args.M * args.C, [&]<class Tape>(const Tape& tape) {
    launch(s.width == 4 ? batch_norm_grad_sums_f32_kernel<4, Tape> : batch_norm_grad_sums_f32_kernel<1, Tape>,
           shape_of(s, sizeof(ColumnSums<>)), stream, s, args, partials, tape);
    if (kHasTape<Tape>) rest.dy = args.dx;
  });
  launch_apply(rest, s, partials, multiprocessors, stream);
}

void batch_norm_grad_apply(const BatchNormGrad& args, const float* sums, int multiprocessors, Stream stream) {
  if (args.M == 0 || args.C == 0) return;
  launch_apply(args, column_tiles(args.M, args.C, 1, 1, 1), sums, multiprocessors, stream);
}

}  // namespace forger::FORGER_DEVICE
