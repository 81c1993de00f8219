// y[m, k] = sum over (r, s, c) of x[pixel m, tap r s, c] w[k, r, s, c]: M = N*P*Q, N = K, reduction R*S*C. See gemm_tile.h
// for threads and shared memory, conv2d_operands.h for the gather.
#include "kernels/cuda/conv2d_problems.h"
#include "kernels/cuda/gemm_launch.h"
#include "kernels/cuda/gemm_statistics.h"

namespace forger::FORGER_DEVICE {

namespace {

template <int kVec>
struct Conv2dStatisticsProblem : Conv2dProblem<kVec> {
  GemmStatistics statistics;
};

/// Where the statistics' scratch memory begins: after that of the splits.
size_t statistics_offset(const GemmPlan& plan, const GemmSize& size) {
  return static_cast<size_t>(ceil_div(static_cast<int64_t>(workspace_bytes(plan, size)), 16)) * 16;
}

/// How many tiles of rows are merged first: with more than a few, about the root of their number.
int tiles_of_group(int64_t tiles) {
  constexpr int64_t kFew = 16;
  if (tiles <= kFew) return static_cast<int>(tiles);
  int root = 1;
  while (int64_t{root} * root < tiles) ++root;
  return root;
}

template <class Engine, int kVec>
__global__ void __launch_bounds__(Engine::TileType::kThreads, kMinBlocks<Engine, kVec>)
    conv2d_implicit_gemm_f32_kernel(const __grid_constant__ Conv2dStatisticsProblem<kVec> problem, const GemmGrid grid,
                                    const __grid_constant__ Epilogue epilogue) {
  gemm_block<Engine>(problem, grid, epilogue);
}

}  // namespace

GemmSize conv2d_size(const Conv2dShape& s) {
  const PixelTaps taps = conv2d_problem<4>(s, nullptr, nullptr, nullptr, nullptr, nullptr).taps;
  return {.m = s.N * s.P * s.Q,
          .n = s.K,
          .k = s.R * s.S * s.C,
          .outputs = s.output_size(),
          .between = TileKind::tall,
          .met_64 = taps.share_met(64),
          .met_128 = taps.share_met(128)};
}

bool conv2d_vectors(const Conv2dShape& s) {
  return s.C % 4 == 0;
}

size_t conv2d_statistics_workspace_bytes(const Conv2dShape& s, const GemmPlan& plan) {
  const GemmSize size = conv2d_size(s);
  return statistics_offset(plan, size) + sizeof(float) * static_cast<size_t>(ceil_div(size.m, kGroupRows) * 2 * size.n);
}

size_t conv2d_statistics_counters(const Conv2dShape& s, Arithmetic arithmetic, const GemmPlan& plan) {
  const GemmSize size = conv2d_size(s);
  const TileSize tile = tile_size(arithmetic, plan.tile);
  const int64_t tiles = ceil_div(size.m, tile.m), groups = ceil_div(tiles, tiles_of_group(tiles));
  return counters_of(plan, size, arithmetic) + static_cast<size_t>(ceil_div(size.n, tile.n) * (groups + 1));
}

void conv2d(const Conv2dShape& s, Arithmetic arithmetic, const GemmPlan& plan, const float* x, const float* w, const float* bias,
            float* y, const GemmScratch& scratch, const BatchNormStatistics* statistics, Stream stream,
            const EpilogueArgs& epilogue) {
  const GemmSize size = conv2d_size(s);
  GemmStatistics columns;
  if (statistics) {
    const int64_t tiles = ceil_div(size.m, tile_size(arithmetic, plan.tile).m);
    columns = {.partials = scratch.partials + statistics_offset(plan, size) / sizeof(float),
               .counters = scratch.counters + counters_of(plan, size, arithmetic),
               .tiles = static_cast<int>(tiles),
               .group = tiles_of_group(tiles),
               .results = *statistics};
  }
  with_engine<TileKind::tall>(arithmetic, plan, [&]<class Engine, int kVec>() {
    const Conv2dStatisticsProblem<kVec> problem{conv2d_problem<kVec>(s, x, w, bias, y, scratch.partials), columns};
    launch_gemm<Engine>(conv2d_implicit_gemm_f32_kernel<Engine, kVec>, problem, size.m, size.n, 1, plan, scratch.counters,
                        epilogue, stream);
  });
}

}  // namespace forger::FORGER_DEVICE
