// dw[k, (r, s, c)] = sum over output pixels of dy[pixel, k] x[pixel's tap (r, s), c]: M = K, N = R*S*C, reduction N*P*Q, long
// against an output that is small: nearly always split. See gemm_tile.h for threads and shared memory, conv2d_operands.h
// for the gather.
#include "kernels/cuda/conv2d.h"
#include "kernels/cuda/conv2d_operands.h"
#include "kernels/cuda/gemm_launch.h"

namespace forger::FORGER_DEVICE {

namespace {

template <int kVec>
struct Conv2dFilterGradProblem {
  static constexpr Major kMajorA = Major::mn, kMajorB = Major::mn;

  template <class T>
  __device__ __forceinline__ auto loader_a(int first, int first_k) const {
    return GradientRowsLoader<T::kM, T::kThreads, kVec>(dy, m, patch, first, first_k);
  }
  template <class T>
  __device__ __forceinline__ auto loader_b(int first, int first_k) const {
    return PatchColumnsLoader<T::kN, T::kThreads, kVec>(patch, first, first_k);
  }
  __device__ __forceinline__ void enter(int) {}
  template <class T>
  __device__ __forceinline__ void keep_met(int, int n0) {
    patch.keep(patch.met(n0, T::kN));
    k = patch.pixels();
  }
  __device__ __forceinline__ int row_offset(int row) const { return row * n; }

  int m, n, k, outputs;
  const float* dy;
  PatchColumns patch;
  const float* bias;
  float *c, *partials;
};

PatchColumns patch_columns(const Conv2dShape& s, const float* x) {
  const auto i = [](int64_t value) { return static_cast<int>(value); };
  return {.image = {x, i(s.H), i(s.W), i(s.C)},
          .images = i(s.N),
          .P = i(s.P),
          .Q = i(s.Q),
          .grid_h = i(s.P),
          .grid_w = i(s.Q),
          .stride_h = i(s.stride_h),
          .stride_w = i(s.stride_w),
          .pad_top = i(s.pad_top),
          .pad_left = i(s.pad_left),
          .S = i(s.S),
          .columns = i(s.R * s.S * s.C)};
}

template <class Engine, int kVec>
__global__ void __launch_bounds__(Engine::TileType::kThreads, kMinBlocks<Engine, kVec>)
    conv2d_filter_grad_implicit_gemm_f32_kernel(const __grid_constant__ Conv2dFilterGradProblem<kVec> problem,
                                                const GemmGrid grid, const NoEpilogue none) {
  gemm_block<Engine>(problem, grid, none);
}

}  // namespace

GemmSize conv2d_filter_grad_size(const Conv2dShape& s) {
  const PatchColumns patch = patch_columns(s, nullptr);
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
    const auto i = [](int64_t value) { return static_cast<int>(value); };
    const Conv2dFilterGradProblem<kVec> problem{
        .m = i(size.m),
        .n = i(size.n),
        .k = i(size.k),
        .outputs = i(size.outputs),
        .dy = dy,
        .patch = patch_columns(s, x),
        .bias = nullptr,
        .c = dw,
        .partials = scratch.partials,
    };
    launch_gemm<Engine>(conv2d_filter_grad_implicit_gemm_f32_kernel<Engine, kVec>, problem, size.m, size.n, 1, plan,
                        scratch.counters, {}, stream);
  });
}

}  // namespace forger::FORGER_DEVICE
