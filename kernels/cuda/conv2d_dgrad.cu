// dx[m, c] = sum over (r, s, k) of dy[pixel m, tap r s, k] w[k, r, s, c], phase by phase: input rows h of one remainder modulo
// the stride meet taps r = r0, r0 + stride, ... only, at output rows (h + pad - r) / stride. A phase is M = N * its pixels,
// N = C, reduction = its taps x K; a phase without taps writes the bias. See gemm_tile.h for threads and shared memory,
// conv2d_operands.h for the gathers.
#include "kernels/cuda/conv2d.h"
#include "kernels/cuda/conv2d_operands.h"
#include "kernels/cuda/gemm_launch.h"

namespace forger::FORGER_DEVICE {

namespace {

template <int kVec>
struct Conv2dInputGradProblem {
  static constexpr Major kMajorA = Major::k, kMajorB = Major::mn;

  template <class T>
  __device__ __forceinline__ auto loader_a(int first, int first_k) const {
    return PixelTapsLoader<T::kM, T::kThreads, kVec>(taps, first, first_k);
  }
  template <class T>
  __device__ __forceinline__ auto loader_b(int first, int first_k) const {
    return PhaseFilterLoader<T::kN, T::kThreads, kVec>(filter, first, first_k);
  }
  constexpr void enter(int phase) {
    first_h = phase / filter.stride_w;
    first_w = phase % filter.stride_w;
    filter.r0 = (first_h + pad_top) % filter.stride_h;
    filter.s0 = (first_w + pad_left) % filter.stride_w;
    filter.taps_r = std::max(filter.R - filter.r0 + filter.stride_h - 1, 0) / filter.stride_h;
    filter.taps_s = std::max(filter.S - filter.s0 + filter.stride_w - 1, 0) / filter.stride_w;
    taps.grid_h = std::max(H - first_h + filter.stride_h - 1, 0) / filter.stride_h;
    taps.grid_w = std::max(W - first_w + filter.stride_w - 1, 0) / filter.stride_w;
    taps.rows = images * taps.grid_h * taps.grid_w;
    taps.first_y = (first_h + pad_top) / filter.stride_h;
    taps.first_x = (first_w + pad_left) / filter.stride_w;
    taps.R = filter.taps_r;
    taps.S = filter.taps_s;
    m = taps.rows;
    k = taps.R * taps.S * taps.image.C;
  }
  template <class T>
  __device__ __forceinline__ void keep_met(int m0, int) {
    const Box met = taps.met(m0, T::kM);
    taps.keep(met);
    filter.keep(met);
    k = met.size() * taps.image.C;
  }
  __device__ __forceinline__ int row_offset(int row) const {
    const PixelTaps::Pixel at = taps.pixel(row);
    const int h = first_h + filter.stride_h * at.i, w = first_w + filter.stride_w * at.j;
    return ((at.image * H + h) * W + w) * n;
  }

  int m, n, k, outputs;  // m and k: of the phase
  int images, H, W, pad_top, pad_left;
  int first_h, first_w;  // of the phase
  PixelTaps taps;
  PhaseFilter filter;
  const float* bias;
  float *c, *partials;
};

template <int kVec>
Conv2dInputGradProblem<kVec> input_grad_problem(const Conv2dShape& s) {
  const auto i = [](int64_t value) { return static_cast<int>(value); };
  return {
      .m = 0,
      .n = i(s.C),
      .k = 0,
      .outputs = i(s.input_size()),
      .images = i(s.N),
      .H = i(s.H),
      .W = i(s.W),
      .pad_top = i(s.pad_top),
      .pad_left = i(s.pad_left),
      .first_h = 0,
      .first_w = 0,
      .taps = {.image = {nullptr, i(s.P), i(s.Q), i(s.K)}, .group = image_group(s.N), .step = -1},
      .filter = {.data = nullptr,
                 .K = i(s.K),
                 .R = i(s.R),
                 .S = i(s.S),
                 .C = i(s.C),
                 .stride_h = i(s.stride_h),
                 .stride_w = i(s.stride_w)},
      .bias = nullptr,
      .c = nullptr,
      .partials = nullptr,
  };
}

/// Of all phases together, as a share of as many like the largest.
double share_met(const Conv2dShape& s, const GemmSize& size, int tile) {
  double sum = 0;
  for (int phase = 0; phase < static_cast<int>(size.phases); ++phase) {
    auto problem = input_grad_problem<4>(s);
    problem.enter(phase);
    sum += problem.taps.share_met(tile) * static_cast<double>(ceil_div(problem.m, tile)) * problem.k;
  }
  const double whole = static_cast<double>(ceil_div(size.m, tile) * size.phases * size.k);
  return sum > 0 ? sum / whole : 1.0;
}

template <class Engine, int kVec>
__global__ void __launch_bounds__(Engine::TileType::kThreads, kMinBlocks<Engine, kVec>)
    conv2d_input_grad_implicit_gemm_f32_kernel(const __grid_constant__ Conv2dInputGradProblem<kVec> problem, const GemmGrid grid,
                                               const __grid_constant__ Epilogue epilogue) {
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

void conv2d_input_grad(const Conv2dShape& s, Arithmetic arithmetic, const GemmPlan& plan, const float* dy, const float* w,
                       const float* bias, float* dx, const GemmScratch& scratch, Stream stream, const EpilogueArgs& epilogue) {
  const GemmSize size = conv2d_input_grad_size(s);
  with_engine<TileKind::tall>(arithmetic, plan, [&]<class Engine, int kVec>() {
    auto problem = input_grad_problem<kVec>(s);
    problem.taps.image.data = dy;
    problem.filter.data = w;
    problem.bias = bias;
    problem.c = dx;
    problem.partials = scratch.partials;
    launch_gemm<Engine>(conv2d_input_grad_implicit_gemm_f32_kernel<Engine, kVec>, problem, size.m, size.n, size.phases, plan,
                        scratch.counters, epilogue, stream);
  });
}

}  // namespace forger::FORGER_DEVICE
