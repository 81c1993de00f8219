// Batch normalisation of few rows in one launch each way: forward and backward as batch_norm.cu and batch_norm_grad.cu.
//
// A block owns all rows of a few columns and keeps them in registers, kRows rows of each thread: statistics are two plain
// passes over registers (mean, then squared deviations), added over the block in double. At small batches a launch costs more
// than what it computes, and the discriminator's deep layers (512 rows at batch 32) are this small.
// Threads: `lanes` side by side over the columns (32 bytes of each row: whole sectors of memory; wider where that still
// leaves a block for every other multiprocessor), 512 / lanes rows of them.
// Shared memory: 4 KiB for sums, 384 bytes for the coefficients. y may be x, dx may be dy: all is read before.
// Limits: kRows * 512 / lanes rows, 2,048 where columns are a multiple of 8.
#include "kernels/cuda/batch_norm.h"
#include "kernels/cuda/batch_norm_tiles.h"

namespace forger::FORGER_DEVICE {
namespace {

constexpr unsigned kThreads = 512;
constexpr int kRows = 8;
constexpr unsigned kNarrow = 8;  // columns: 32 bytes

/// This thread's rows: place.row, place.row + depth, ...; zeros beyond the last.
template <int kWidth>
__device__ __forceinline__ void load_rows(const ColumnTiles& t, const ColumnPlace& place, const float* x,
                                          float (&v)[kRows][kWidth]) {
  const int64_t depth = t.depth(kThreads);
#pragma unroll
  for (int k = 0; k < kRows; ++k) {
    const int64_t r = place.row + k * depth;
    if (place.inside && r < t.rows) {
      load_columns(x + r * t.columns + place.column, v[k]);
    } else {
#pragma unroll
      for (int w = 0; w < kWidth; ++w) v[k][w] = 0.f;
    }
  }
}
template <int kWidth>
__device__ __forceinline__ void store_rows(const ColumnTiles& t, const ColumnPlace& place, float* y,
                                           const float (&v)[kRows][kWidth]) {
  const int64_t depth = t.depth(kThreads);
#pragma unroll
  for (int k = 0; k < kRows; ++k) {
    const int64_t r = place.row + k * depth;
    if (place.inside && r < t.rows) store_columns(y + r * t.columns + place.column, v[k]);
  }
}

/// A tape on kRows rows of this thread, two at a time in one piece of code, through which the rows are passed: registers are
/// what this kernel has least of.
template <int kWidth, class Tape>
__device__ __forceinline__ void apply_tape_to_rows(const Tape& tape, const ColumnTiles& t, const ColumnPlace& place,
                                                   float (&v)[kRows][kWidth]) {
  if constexpr (kHasTape<Tape>) {
    constexpr int kPart = 2;
    const int64_t depth = t.depth(kThreads);
#pragma unroll 1
    for (int64_t r = place.row; r < place.row + kRows * depth; r += kPart * depth) {
      float part[kPart][kWidth];
      int64_t first[kPart];
#pragma unroll
      for (int k = 0; k < kPart; ++k) {
        first[k] = place.inside && r + k * depth < t.rows ? (r + k * depth) * t.columns + place.column : 0;
#pragma unroll
        for (int w = 0; w < kWidth; ++w) part[k][w] = v[k][w];
      }
      apply_tape(tape, part, first);
#pragma unroll
      for (int k = 0; k < kRows; ++k) {
        const bool valid = place.inside && r + (k - (kRows - kPart)) * depth < t.rows;
#pragma unroll
        for (int w = 0; w < kWidth; ++w) {
          if (k + kPart < kRows) {
            v[k][w] = v[k + kPart][w];
          } else {
            v[k][w] = valid ? part[k - (kRows - kPart)][w] : 0.f;
          }
        }
      }
    }
  }
}

struct TrainingShared {
  ColumnSums<kThreads> sums;
  Coefficients coefficients;
};

template <int kWidth, class Tape>
__global__ void __launch_bounds__(kThreads)
    batch_norm_registers_f32_kernel(const ColumnTiles t, const __grid_constant__ BatchNormTraining args,
                                    const __grid_constant__ Tape tape) {
  begin_kernel();
  auto& shared = block_shared<TrainingShared>();
  const ColumnPlace place = column_place<kWidth>(t, blockIdx.x);
  const int64_t depth = t.depth(kThreads);
  float v[kRows][kWidth];
  load_rows(t, place, args.x, v);
  double mean[kWidth] = {}, squares[kWidth] = {};
#pragma unroll
  for (int w = 0; w < kWidth; ++w) {
#pragma unroll
    for (int k = 0; k < kRows; ++k) mean[w] += static_cast<double>(v[k][w]);
  }
  sum_columns(mean, t.lanes, shared.sums);
  const double per_row = 1.0 / static_cast<double>(t.rows);
#pragma unroll
  for (int w = 0; w < kWidth; ++w) {
    mean[w] *= per_row;
    const auto centre = static_cast<float>(mean[w]);
    float deviations = 0.f;
#pragma unroll
    for (int k = 0; k < kRows; ++k) {
      const float d = place.row + k * depth < t.rows ? v[k][w] - centre : 0.f;
      deviations += d * d;
    }
    squares[w] = static_cast<double>(deviations);
  }
  sum_columns(squares, t.lanes, shared.sums);
#pragma unroll
  for (int w = 0; w < kWidth; ++w) {  // they were taken around a rounded mean
    const double rounding = mean[w] - static_cast<double>(static_cast<float>(mean[w]));
    squares[w] -= static_cast<double>(t.rows) * rounding * rounding;
    if (squares[w] < 0) squares[w] = 0;  // not fmax: NaN stays
  }
  finish_statistics(args, place, mean, squares, true, shared.coefficients);
  float centre[kWidth], scale[kWidth], shift[kWidth];
  shared.coefficients.of(place, centre, scale, shift);
#pragma unroll
  for (int k = 0; k < kRows; ++k) {
#pragma unroll
    for (int w = 0; w < kWidth; ++w) v[k][w] = (v[k][w] - centre[w]) * scale[w] + shift[w];
  }
  apply_tape_to_rows(tape, t, place, v);
  store_rows(t, place, args.y, v);
}

template <int kWidth, class Tape>
__global__ void __launch_bounds__(kThreads)
    batch_norm_grad_registers_f32_kernel(const ColumnTiles t, const __grid_constant__ BatchNormGrad args,
                                         const __grid_constant__ Tape tape) {
  begin_kernel();
  auto& shared = block_shared<ColumnSums<kThreads>>();
  const ColumnPlace place = column_place<kWidth>(t, blockIdx.x);
  float x[kRows][kWidth], dy[kRows][kWidth];
  load_rows(t, place, args.dy, dy);
  apply_tape_to_rows(tape, t, place, dy);
  load_rows(t, place, args.x, x);
  float mean[kWidth] = {}, inv_std[kWidth] = {}, slope[kWidth] = {};
  if (place.inside) {
    load_columns(args.mean + place.column, mean);
    load_columns(args.inv_std + place.column, inv_std);
    load_columns(args.gamma + place.column, slope);
  }
  double sum_dy[kWidth], sum_dy_xhat[kWidth];
#pragma unroll
  for (int w = 0; w < kWidth; ++w) {
    float sum = 0.f, products = 0.f;
#pragma unroll
    for (int k = 0; k < kRows; ++k) {
      x[k][w] = (x[k][w] - mean[w]) * inv_std[w];
      sum += dy[k][w];  // rows beyond the end have dy = 0
      products += dy[k][w] * x[k][w];
    }
    sum_dy[w] = static_cast<double>(sum);
    sum_dy_xhat[w] = static_cast<double>(products);
  }
  sum_columns(sum_dy, t.lanes, shared);
  sum_columns(sum_dy_xhat, t.lanes, shared);
  const double per_row = 1.0 / static_cast<double>(t.rows);
  float dbeta[kWidth], dgamma[kWidth];
#pragma unroll
  for (int w = 0; w < kWidth; ++w) {
    dbeta[w] = static_cast<float>(sum_dy[w]);
    dgamma[w] = static_cast<float>(sum_dy_xhat[w]);
    slope[w] *= inv_std[w];
    const auto mean_dy = static_cast<float>(sum_dy[w] * per_row), mean_dy_xhat = static_cast<float>(sum_dy_xhat[w] * per_row);
#pragma unroll
    for (int k = 0; k < kRows; ++k) dy[k][w] = slope[w] * (dy[k][w] - mean_dy - x[k][w] * mean_dy_xhat);
  }
  store_rows(t, place, args.dx, dy);
  if (!place.inside || place.row > 0) return;
  store_columns(args.dbeta + place.column, dbeta);
  store_columns(args.dgamma + place.column, dgamma);
}

/// Tiles of all rows; splits = 0 if a block's registers cannot hold them.
ColumnTiles register_tiles(int64_t M, int64_t C, int multiprocessors) {
  ColumnTiles t = column_tiles(M, C, 1, 1, 1);
  const auto width = static_cast<unsigned>(t.width);
  const auto fits = [&](unsigned lanes) { return M <= int64_t{kRows} * (kThreads / lanes); };
  const unsigned widest = t.lanes;
  t.lanes = std::min(widest, kNarrow / width);
  while (2 * t.lanes <= widest && fits(2 * t.lanes) && 2 * ceil_div(C, 2 * t.lanes * width) >= multiprocessors) t.lanes *= 2;
  t.tiles = static_cast<unsigned>(ceil_div(C, t.lanes * width));
  if (!fits(t.lanes)) t.splits = 0;
  return t;
}

LaunchShape registers_shape(const ColumnTiles& t, size_t shared_bytes) {
  return {.grid_x = t.tiles, .threads = kThreads, .shared_bytes = shared_bytes};
}

}  // namespace

bool run_in_registers(const BatchNormTraining& args, int multiprocessors, Stream stream, const EpilogueArgs& epilogue) {
  const ColumnTiles t = register_tiles(args.M, args.C, multiprocessors);
  if (t.splits == 0) return false;
  with_tape(epilogue, args.M * args.C, [&]<class Tape>(const Tape& tape) {
    launch(t.width == 4 ? batch_norm_registers_f32_kernel<4, Tape> : batch_norm_registers_f32_kernel<1, Tape>,
           registers_shape(t, sizeof(TrainingShared)), stream, t, args, tape);
  });
  return true;
}

bool run_in_registers(const BatchNormGrad& args, int multiprocessors, Stream stream, const EpilogueArgs& prologue) {
  const ColumnTiles t = register_tiles(args.M, args.C, multiprocessors);
  if (t.splits == 0) return false;
  with_tape(prologue, args.M * args.C, [&]<class Tape>(const Tape& tape) {
    launch(t.width == 4 ? batch_norm_grad_registers_f32_kernel<4, Tape> : batch_norm_grad_registers_f32_kernel<1, Tape>,
           registers_shape(t, sizeof(ColumnSums<kThreads>)), stream, t, args, tape);
  });
  return true;
}

}  // namespace forger::FORGER_DEVICE
