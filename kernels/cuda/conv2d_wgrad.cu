// dw[k, (r, s, c)] = sum over output pixels of dy[pixel, k] x[pixel's tap (r, s), c]: M = K, N = R*S*C, reduction N*P*Q, long
// against an output that is small: nearly always split. See gemm_tile.h for threads and shared memory, conv2d_operands.h
// for the gather.
#include "kernels/cuda/conv2d_problems.h"
#include "kernels/cuda/gemm_launch.h"

namespace forger::FORGER_DEVICE {

namespace {

template <class Engine, int kVec>
__global__ void __launch_bounds__(Engine::TileType::kThreads, kMinBlocks<Engine, kVec>)
    conv2d_filter_grad_implicit_gemm_f32_kernel(const __grid_constant__ Conv2dFilterGradProblem<kVec> problem,
                                                const GemmGrid grid, const NoEpilogue none) {
  begin_kernel();
  gemm_block<Engine>(problem, grid, none);
}

}  // namespace

GemmSize conv2d_filter_grad_size(const Conv2dShape& s) {
  const PatchColumns patch = conv2d_filter_grad_problem<4>(s, nullptr, nullptr, nullptr, nullptr).patch;
  return {.m = s.K,
          .n = s.R * s.S * s.C,
          .k = s.N * s.P * s.Q,
          .outputs = s.filter_size(),
          .between = TileKind::wide,
          .met_64 = patch.share_met(64),
          .met_128 = patch.share_met(128)};
}

bool conv2d_filter_grad_vectors(const Conv2dShape& s) {
  return s.C % 4 == 0 && s.K % 4 == 0;
}

void conv2d_filter_grad(const Conv2dShape& s, Arithmetic arithmetic, const GemmPlan& plan, const float* x, const float* dy,
                        float* dw, const GemmScratch& scratch, Stream stream) {
  const GemmSize size = conv2d_filter_grad_size(s);
  with_engine<TileKind::wide>(arithmetic, plan, [&]<class Engine, int kVec>() {
    const auto problem = conv2d_filter_grad_problem<kVec>(s, x, dy, dw, scratch.partials);
    launch_gemm<Engine>(conv2d_filter_grad_implicit_gemm_f32_kernel<Engine, kVec>, problem, size.m, size.n, 1, plan,
                        scratch.counters, {}, stream);
  });
}

}  // namespace forger::FORGER_DEVICE
