// y[m, k] = sum over (r, s, c) of x[pixel m, tap r s, c] w[k, r, s, c]: M = N*P*Q, N = K, reduction R*S*C. See gemm_tile.h
// for threads and shared memory, conv2d_operands.h for the gather.
#include "kernels/cuda/conv2d_problems.h"
#include "kernels/cuda/gemm_columns.h"
#include "kernels/cuda/gemm_launch.h"

namespace forger::FORGER_DEVICE {

namespace {

int64_t row_tiles(const GemmSize& size, Arithmetic arithmetic, const GemmPlan& plan) {
  return ceil_div(size.m, tile_size(arithmetic, plan.tile).m);
}

template <class Engine, int kVec>
__global__ void __launch_bounds__(Engine::TileType::kThreads, kMinBlocks<Engine, kVec>)
    conv2d_implicit_gemm_f32_kernel(const __grid_constant__ Conv2dProblem<kVec> problem, const GemmGrid grid,
                                    const __grid_constant__ ColumnEpilogue epilogue) {
  begin_kernel();
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

ColumnNeeds conv2d_needs(const Conv2dShape& s, Arithmetic arithmetic, const GemmPlan& plan, ColumnWork work) {
  const GemmSize size = conv2d_size(s);
  return column_needs(size, row_tiles(size, arithmetic, plan), arithmetic, plan, work);
}

void conv2d(const Conv2dShape& s, Arithmetic arithmetic, const GemmPlan& plan, const float* x, const float* w, const float* bias,
            float* y, const GemmScratch& scratch, Stream stream, const EpilogueArgs& epilogue, const ColumnArgs& columns) {
  const GemmSize size = conv2d_size(s);
  const GemmColumns sums = gemm_columns(size, row_tiles(size, arithmetic, plan), arithmetic, plan, scratch, columns);
  with_engine<TileKind::tall>(arithmetic, plan, [&]<class Engine, int kVec>() {
    const auto problem = conv2d_problem<kVec>(s, x, w, bias, y, scratch.partials);
    launch_gemm<Engine>(conv2d_implicit_gemm_f32_kernel<Engine, kVec>, problem, size.m, size.n, 1, plan, scratch.counters,
                        epilogue, stream, sums);
  });
}

}  // namespace forger::FORGER_DEVICE
