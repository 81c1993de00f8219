// y = sum of x over some axes, in an order that is fixed by the sizes: threads add in float a few elements at a time, the
// threads of a block are added in double, and splits of long sums by the last of their blocks (last_block.h).
//
//   rows     [A, R] -> [A]        a warp per row (short rows), or a block per row and split
//   columns  [A, R, B] -> [A, B]  threads stand side by side over B, one below the other over R (column_tiles.h)
//   general                       a block per output, whose threads walk over the summed axes
//
// Loads are coalesced and 16 bytes wide where rows (or columns) are multiples of 4; each thread has four in flight.
// Shared memory: 64 bytes (rows, general) or 2 KiB (columns). Limits: 4 kept and 4 summed axes after merging.
#include "kernels/cuda/reduce_sum.h"

#include "kernels/cuda/block_sum.h"
#include "kernels/cuda/column_sum.h"
#include "kernels/cuda/divisor.h"
#include "kernels/cuda/last_block.h"
#include "kernels/cuda/strided_sum.h"

namespace forger::FORGER_DEVICE {
namespace {

constexpr unsigned kThreads = 256;
constexpr int kUnroll = 4;
constexpr int64_t kShortRow = 512, kChunk = 16 * kThreads;  // elements: of a warp's row, of a block's smallest split
constexpr int64_t kMaxSplits = kThreads;                    // the last block adds them up, one partial sum for each thread

/// x: [outputs, n], a warp each.
__global__ void __launch_bounds__(kThreads)
    reduce_sum_warp_f32_kernel(const float* __restrict__ x, float* __restrict__ y, int64_t outputs, int n) {
  begin_kernel();
  const int64_t row = int64_t{blockIdx.x} * (kThreads / 32) + threadIdx.x / 32;
  if (row >= outputs) return;  // whole warps
  const float mine = strided_sum<32>(x + row * n, n, static_cast<int>(threadIdx.x % 32), n % 4 == 0);
  const double sum = warp_sum(static_cast<double>(mine));
  if (threadIdx.x % 32 == 0) y[row] = static_cast<float>(sum);
}

/// x: [outputs, n] -> y: [outputs], partials: [outputs, splits]; block (split, output). At most kThreads splits.
__global__ void __launch_bounds__(kThreads)
    reduce_sum_block_f32_kernel(const float* __restrict__ x, float* __restrict__ y, float* partials, uint32_t* counters,
                                int64_t n, int64_t per_split, unsigned splits) {
  begin_kernel();
  const int64_t row = blockIdx.x / splits, begin = blockIdx.x % splits * per_split;  // per_split is a multiple of 4
  const bool aligned = n % 4 == 0 || gridDim.x == splits;
  const float mine = strided_sum<kThreads>(x + row * n + begin, min(per_split, n - begin), int64_t{threadIdx.x}, aligned);
  auto& shared = block_shared<BlockSum<kThreads>>();
  const double sum = block_sum(static_cast<double>(mine), shared);
  if (threadIdx.x == 0) (splits == 1 ? y : partials)[blockIdx.x] = static_cast<float>(sum);
  if (splits == 1 || !last_block(counters + row, splits)) return;
  const float part = threadIdx.x < splits ? __ldcg(partials + row * splits + threadIdx.x) : 0.f;
  const double total = block_sum(static_cast<double>(part), shared);
  if (threadIdx.x == 0) y[row] = static_cast<float>(total);
}

/// x: [outer, rows, columns] -> y: [outer, columns], partials: [outer, splits, columns]; grid (tiles * outer, splits).
template <int kWidth>
__global__ void __launch_bounds__(kColumnThreads)
    reduce_sum_columns_f32_kernel(const ColumnTiles t, const float* __restrict__ x, float* __restrict__ y, float* partials,
                                  uint32_t* counters) {
  begin_kernel();
  const unsigned outer = blockIdx.x / t.tiles;
  column_sum_block<kWidth>(t, blockIdx.x % t.tiles, blockIdx.y, x + outer * t.rows * t.columns, y + outer * t.columns,
                           partials + outer * t.splits * t.columns, counters + blockIdx.x, block_shared<ColumnSums<>>());
}

struct Walk {
  struct Axis {
    Divisor extent;
    int64_t stride;
  } axis[kMaxReduceAxes];  // innermost first
  int count = 0;

  explicit Walk(const std::vector<ReduceSumPlan::Axis>& axes) {
    for (const auto& a : axes) axis[count++] = {Divisor(a.extent), a.stride};
  }
  /// Where the i-th position of the walk lies.
  __device__ __forceinline__ int64_t place(int64_t i) const {
    int64_t at = 0;
    for (int d = 0; d < count; ++d) {
      const int64_t outer = axis[d].extent.divide(i);
      at += (i - outer * axis[d].extent.value) * axis[d].stride;
      i = outer;
    }
    return at;
  }
};

__global__ void __launch_bounds__(kThreads)
    reduce_sum_general_f32_kernel(const float* __restrict__ x, float* __restrict__ y, const __grid_constant__ Walk kept,
                                  const __grid_constant__ Walk summed, int64_t n) {
  begin_kernel();
  const float* const from = x + kept.place(blockIdx.x);
  float sums[kUnroll] = {};
  for (int64_t i = threadIdx.x; i < n; i += kUnroll * kThreads) {
#pragma unroll
    for (int k = 0; k < kUnroll; ++k) {
      const int64_t j = i + k * int64_t{kThreads};
      if (j < n) sums[k] += from[summed.place(j)];
    }
  }
  const auto mine = static_cast<double>((sums[0] + sums[1]) + (sums[2] + sums[3]));
  const double sum = block_sum(mine, block_shared<BlockSum<kThreads>>());
  if (threadIdx.x == 0) y[blockIdx.x] = static_cast<float>(sum);
}

struct Scratch {
  float* partials;
  uint32_t* counters;
};

void sum_rows(const float* x, float* y, int64_t outputs, int64_t n, int64_t splits, const Scratch& scratch, Stream stream) {
  if (n <= kShortRow && splits == 1) {
    launch(reduce_sum_warp_f32_kernel, {.grid_x = static_cast<unsigned>(ceil_div(outputs, kThreads / 32)), .threads = kThreads},
           stream, x, y, outputs, static_cast<int>(n));
    return;
  }
  const int64_t per_split = ceil_div(ceil_div(n, 4), splits) * 4;
  launch(reduce_sum_block_f32_kernel,
         {.grid_x = static_cast<unsigned>(outputs * splits), .threads = kThreads, .shared_bytes = sizeof(BlockSum<kThreads>)},
         stream, x, y, scratch.partials, scratch.counters, n, per_split, static_cast<unsigned>(splits));
}

void sum_columns_of(const float* x, float* y, int64_t outer, const ColumnTiles& t, const Scratch& scratch, Stream stream) {
  launch(t.width == 4 ? reduce_sum_columns_f32_kernel<4> : reduce_sum_columns_f32_kernel<1>,
         {.grid_x = static_cast<unsigned>(t.tiles * outer),
          .grid_y = static_cast<unsigned>(t.splits),
          .threads = kColumnThreads,
          .shared_bytes = sizeof(ColumnSums<>)},
         stream, t, x, y, scratch.partials, scratch.counters);
}

}  // namespace

ReduceSumPlan plan_reduce_sum(const std::vector<int64_t>& shape, const std::vector<int64_t>& axes, int multiprocessors) {
  ReduceSumPlan plan;
  struct Run {
    int64_t extent, stride;
    bool summed;
  };
  std::vector<Run> runs;  // innermost first
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0; stride *= shape[i]) {
    const bool summed = std::find(axes.begin(), axes.end(), static_cast<int64_t>(i)) != axes.end();
    (summed ? plan.reduced : plan.outputs) *= shape[i];
    if (shape[i] == 1) continue;
    if (!runs.empty() && runs.back().summed == summed) {
      runs.back().extent *= shape[i];
    } else {
      runs.push_back({shape[i], stride, summed});
    }
  }
  for (const Run& r : runs) (r.summed ? plan.summed : plan.kept).push_back({r.extent, r.stride});
  if (plan.outputs == 0 || plan.summed.size() > 1) {
    plan.kind = ReduceSumPlan::Kind::general;
    return plan;
  }
  const int64_t enough = 2 * multiprocessors;  // blocks
  if (plan.summed.empty() || plan.summed[0].stride == 1) {
    plan.outer = plan.outputs;
    if (plan.reduced > kShortRow) {
      plan.splits = std::clamp<int64_t>(std::min(ceil_div(enough, plan.outputs), plan.reduced / kChunk), 1, kMaxSplits);
      const int64_t per_split = ceil_div(ceil_div(plan.reduced, 4), plan.splits) * 4;
      plan.splits = ceil_div(plan.reduced, per_split);
    }
  } else {
    plan.kind = ReduceSumPlan::Kind::columns;
    plan.inner = plan.summed[0].stride;
    plan.outer = plan.outputs / plan.inner;
    plan.splits = column_tiles(plan.reduced, plan.inner, kMaxSplits, kUnroll, ceil_div(enough, plan.outer)).splits;
  }
  if (plan.splits > 1) {
    plan.workspace_bytes = sizeof(float) * static_cast<size_t>(plan.outputs * plan.splits);
    const bool columns = plan.kind == ReduceSumPlan::Kind::columns;
    plan.counters =
        static_cast<size_t>(columns ? plan.outer * column_tiles_of(plan.reduced, plan.inner, plan.splits).tiles : plan.outer);
  }
  return plan;
}

void reduce_sum(const ReduceSumPlan& plan, const float* x, float* y, void* workspace, uint32_t* counters, Stream stream) {
  if (plan.outputs == 0) return;
  const Scratch scratch{static_cast<float*>(workspace), counters};
  switch (plan.kind) {
    case ReduceSumPlan::Kind::rows:
      sum_rows(x, y, plan.outer, plan.reduced, plan.splits, scratch, stream);
      return;
    case ReduceSumPlan::Kind::columns:
      sum_columns_of(x, y, plan.outer, column_tiles_of(plan.reduced, plan.inner, plan.splits), scratch, stream);
      return;
    case ReduceSumPlan::Kind::general:
      launch(reduce_sum_general_f32_kernel,
             {.grid_x = static_cast<unsigned>(plan.outputs), .threads = kThreads, .shared_bytes = sizeof(BlockSum<kThreads>)},
             stream, x, y, Walk(plan.kept), Walk(plan.summed), plan.reduced);
  }
}

}  // namespace forger::FORGER_DEVICE
