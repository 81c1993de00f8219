// y[m, k] = sum over (r, s, c) of x[pixel m, tap r s, c] w[k, r, s, c]: M = N*P*Q, N = K, reduction R*S*C. See gemm_tile.h
// for threads and shared memory, conv2d_operands.h for the gather.
#include "kernels/cuda/conv2d.h"
#include "kernels/cuda/conv2d_operands.h"
#include "kernels/cuda/gemm_columns.h"
#include "kernels/cuda/gemm_launch.h"
#include "kernels/cuda/matrix_operands.h"

namespace forger::FORGER_DEVICE {

namespace {

template <int kVec>
struct Conv2dProblem {
  static constexpr Major kMajorA = Major::k, kMajorB = Major::k;
  static constexpr bool kStatistics = true;

  template <class T>
  __device__ __forceinline__ auto loader_a(int first, int first_k) const {
    return PixelTapsLoader<T::kM, T::kThreads, kVec>(taps, first, first_k);
  }
  template <class T>
  __device__ __forceinline__ auto loader_b(int first, int first_k) const {
    return MatrixLoader<Major::k, T::kN, T::kThreads, kVec>(filters, first, first_k);
  }
  __device__ __forceinline__ void enter(int) {}
  __device__ __forceinline__ int row_offset(int row) const { return row * n; }
  template <int kM>
  __device__ __forceinline__ int slot(int tile) const {
    return tile;
  }

  int m, n, k, outputs;
  PixelTaps taps;
  Matrix filters;
  const float* bias;
  float *c, *partials;
};

int64_t row_tiles(const GemmSize& size, Arithmetic arithmetic, const GemmPlan& plan) {
  return ceil_div(size.m, tile_size(arithmetic, plan.tile).m);
}

template <class Engine, int kVec>
__global__ void __launch_bounds__(Engine::TileType::kThreads, kMinBlocks<Engine, kVec>)
    conv2d_implicit_gemm_f32_kernel(const __grid_constant__ Conv2dProblem<kVec> problem, const GemmGrid grid,
                                    const __grid_constant__ ColumnEpilogue epilogue) {
  gemm_block<Engine>(problem, grid, epilogue);
}

}  // namespace

GemmSize conv2d_size(const Conv2dShape& s) {
  return {.m = s.N * s.P * s.Q, .n = s.K, .k = s.R * s.S * s.C, .outputs = s.output_size(), .between = TileKind::tall};
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
    const auto i = [](int64_t value) { return static_cast<int>(value); };
    const Conv2dProblem<kVec> problem{
        .m = i(size.m),
        .n = i(size.n),
        .k = i(size.k),
        .outputs = i(size.outputs),
        .taps = {.image = {x, i(s.H), i(s.W), i(s.C)},
                 .rows = i(size.m),
                 .grid_h = i(s.P),
                 .grid_w = i(s.Q),
                 .stride_h = i(s.stride_h),
                 .stride_w = i(s.stride_w),
                 .first_y = i(-s.pad_top),
                 .first_x = i(-s.pad_left),
                 .step = 1,
                 .R = i(s.R),
                 .S = i(s.S)},
        .filters = {.data = w, .extent = i(s.K), .k = i(size.k), .ld = i(size.k)},
        .bias = bias,
        .c = y,
        .partials = scratch.partials,
    };
    launch_gemm<Engine>(conv2d_implicit_gemm_f32_kernel<Engine, kVec>, problem, size.m, size.n, 1, plan, scratch.counters,
                        epilogue, stream, sums);
  });
}

}  // namespace forger::FORGER_DEVICE
