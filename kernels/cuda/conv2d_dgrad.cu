// dx[m, c] = sum over (r, s, k) of dy[pixel m, tap r s, k] w[k, r, s, c], phase by phase: input rows h of one remainder modulo
// the stride meet taps r = r0, r0 + stride, ... only, at output rows (h + pad - r) / stride. A phase is M = N * its pixels,
// N = C, reduction = its taps x K; a phase without taps writes the bias. See gemm_tile.h for threads and shared memory,
// conv2d_operands.h for the gathers.
#include "kernels/cuda/conv2d_problems.h"
#include "kernels/cuda/gemm_columns.h"
#include "kernels/cuda/gemm_launch.h"

namespace forger::FORGER_DEVICE {

namespace {

/// Of all phases together, as a share of as many like the largest.
double share_met(const Conv2dShape& s, const GemmSize& size, int tile) {
  double sum = 0;
  for (int phase = 0; phase < static_cast<int>(size.phases); ++phase) {
    auto problem = conv2d_input_grad_problem<4>(s, nullptr, nullptr, nullptr, nullptr, nullptr);
    problem.enter(phase);
    sum += problem.taps.share_met(tile) * static_cast<double>(ceil_div(problem.m, tile) * problem.k);
  }
  const double whole = static_cast<double>(ceil_div(size.m, tile) * size.phases * size.k);
  return sum > 0 ? sum / whole : 1.0;
}

/// Tiles of rows, of all phases.
int64_t row_tiles(const Conv2dShape& s, Arithmetic arithmetic, const GemmPlan& plan) {
  int64_t tiles = 0;
  for (int64_t h = 0; h < s.stride_h; ++h) {
    for (int64_t w = 0; w < s.stride_w; ++w) {
      const int64_t rows =
          s.N * ceil_div(std::max<int64_t>(s.H - h, 0), s.stride_h) * ceil_div(std::max<int64_t>(s.W - w, 0), s.stride_w);
      tiles += ceil_div(rows, tile_size(arithmetic, plan.tile).m);
    }
  }
  return tiles;
}

template <class Engine, int kVec>
__global__ void __launch_bounds__(Engine::TileType::kThreads, kMinBlocks<Engine, kVec>)
    conv2d_input_grad_implicit_gemm_f32_kernel(const __grid_constant__ Conv2dInputGradProblem<kVec> problem, const GemmGrid grid,
                                               const __grid_constant__ ColumnEpilogue epilogue) {
  begin_kernel();
  gemm_block<Engine>(problem, grid, epilogue);
}

}  // namespace

GemmSize conv2d_input_grad_size(const Conv2dShape& s) {
  GemmSize size = {.m = s.N * ceil_div(s.H, s.stride_h) * ceil_div(s.W, s.stride_w),
                   .n = s.C,
                   .k = ceil_div(s.R, s.stride_h) * ceil_div(s.S, s.stride_w) * s.K,
                   .phases = s.stride_h * s.stride_w,
                   .outputs = s.input_size(),
                   .between = TileKind::tall};
  size.met_64 = share_met(s, size, 64);
  size.met_128 = share_met(s, size, 128);
  return size;
}

bool conv2d_input_grad_vectors(const Conv2dShape& s) {
  return s.C % 4 == 0 && s.K % 4 == 0;
}

ColumnNeeds conv2d_input_grad_needs(const Conv2dShape& s, Arithmetic arithmetic, const GemmPlan& plan, ColumnWork work) {
  return column_needs(conv2d_input_grad_size(s), row_tiles(s, arithmetic, plan), arithmetic, plan, work);
}

void conv2d_input_grad(const Conv2dShape& s, Arithmetic arithmetic, const GemmPlan& plan, const float* dy, const float* w,
                       const float* bias, float* dx, const GemmScratch& scratch, Stream stream, const EpilogueArgs& epilogue,
                       const ColumnArgs& columns) {
  const GemmSize size = conv2d_input_grad_size(s);
  const GemmColumns sums = gemm_columns(size, row_tiles(s, arithmetic, plan), arithmetic, plan, scratch, columns);
  with_engine<TileKind::tall>(arithmetic, plan, [&]<class Engine, int kVec>() {
    const auto problem = conv2d_input_grad_problem<kVec>(s, dy, w, bias, dx, scratch.partials);
    launch_gemm<Engine>(conv2d_input_grad_implicit_gemm_f32_kernel<Engine, kVec>, problem, size.m, size.n, size.phases, plan,
                        scratch.counters, epilogue, stream, sums);
  });
}

}  // namespace forger::FORGER_DEVICE
