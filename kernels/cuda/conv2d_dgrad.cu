// dx[m, c] = sum over (r, s, k) of dy[pixel m, tap r s, k] w[k, r, s, c], phase by phase: input rows h of one remainder modulo
// the stride meet taps r = r0, r0 + stride, ... only, at output rows (h + pad - r) / stride. A phase is M = N * its pixels,
// N = C, reduction = its taps x K; a phase without taps writes the bias. See gemm_tile.h for threads and shared memory,
// conv2d_operands.h for the gathers.
#include "kernels/cuda/conv2d.h"
#include "kernels/cuda/conv2d_operands.h"
#include "kernels/cuda/gemm_columns.h"
#include "kernels/cuda/gemm_launch.h"

namespace forger::FORGER_DEVICE {

namespace {

template <int kVec>
struct Conv2dInputGradProblem {
  static constexpr Major kMajorA = Major::k, kMajorB = Major::mn;
  static constexpr bool kStatistics = false;

  template <class T>
  __device__ __forceinline__ auto loader_a(int first, int first_k) const {
    return PixelTapsLoader<T::kM, T::kThreads, kVec>(taps, first, first_k);
  }
  template <class T>
  __device__ __forceinline__ auto loader_b(int first, int first_k) const {
    return PhaseFilterLoader<T::kN, T::kThreads, kVec>(filter, first, first_k);
  }
  __device__ __forceinline__ void enter(int phase) {
    first_h = phase / filter.stride_w;
    first_w = phase % filter.stride_w;
    filter.r0 = (first_h + pad_top) % filter.stride_h;
    filter.s0 = (first_w + pad_left) % filter.stride_w;
    filter.taps_r = max(filter.R - filter.r0 + filter.stride_h - 1, 0) / filter.stride_h;
    filter.taps_s = max(filter.S - filter.s0 + filter.stride_w - 1, 0) / filter.stride_w;
    taps.grid_h = grid_of(H, first_h, filter.stride_h);
    taps.grid_w = grid_of(W, first_w, filter.stride_w);
    taps.rows = images * taps.grid_h * taps.grid_w;
    taps.first_y = (first_h + pad_top) / filter.stride_h;
    taps.first_x = (first_w + pad_left) / filter.stride_w;
    taps.R = filter.taps_r;
    taps.S = filter.taps_s;
    m = taps.rows;
    k = taps.R * taps.S * taps.image.C;
  }
  __device__ __forceinline__ int row_offset(int row) const {
    const Odometer pixel(row, taps.grid_w, taps.grid_h);
    const int h = first_h + filter.stride_h * pixel.mid, w = first_w + filter.stride_w * pixel.low;
    return ((pixel.high * H + h) * W + w) * n;
  }

  /// Pixels of a phase along one axis.
  static __device__ __forceinline__ int grid_of(int extent, int first, int stride) {
    return max(extent - first + stride - 1, 0) / stride;
  }
  /// The place of a tile of rows among those of all phases.
  template <int kM>
  __device__ __forceinline__ int slot(int tile) const {
    for (int phase = first_h * filter.stride_w + first_w - 1; phase >= 0; --phase) {
      const int rows =
          images * grid_of(H, phase / filter.stride_w, filter.stride_h) * grid_of(W, phase % filter.stride_w, filter.stride_w);
      tile += (rows + kM - 1) / kM;
    }
    return tile;
  }

  int m, n, k, outputs;  // m and k: of the phase
  int images, H, W, pad_top, pad_left;
  int first_h, first_w;  // of the phase
  PixelTaps taps;
  PhaseFilter filter;
  const float* bias;
  float *c, *partials;
};

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
  gemm_block<Engine>(problem, grid, epilogue);
}

}  // namespace

GemmSize conv2d_input_grad_size(const Conv2dShape& s) {
  return {.m = s.N * ceil_div(s.H, s.stride_h) * ceil_div(s.W, s.stride_w),
          .n = s.C,
          .k = ceil_div(s.R, s.stride_h) * ceil_div(s.S, s.stride_w) * s.K,
          .phases = s.stride_h * s.stride_w,
          .outputs = s.input_size(),
          .between = TileKind::tall};
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
    const auto i = [](int64_t value) { return static_cast<int>(value); };
    const Conv2dInputGradProblem<kVec> problem{
        .m = 0,
        .n = i(size.n),
        .k = 0,
        .outputs = i(size.outputs),
        .images = i(s.N),
        .H = i(s.H),
        .W = i(s.W),
        .pad_top = i(s.pad_top),
        .pad_left = i(s.pad_left),
        .first_h = 0,
        .first_w = 0,
        .taps = {.image = {dy, i(s.P), i(s.Q), i(s.K)}, .step = -1},
        .filter =
            {.data = w, .K = i(s.K), .R = i(s.R), .S = i(s.S), .C = i(s.C), .stride_h = i(s.stride_h), .stride_w = i(s.stride_w)},
        .bias = bias,
        .c = dx,
        .partials = scratch.partials,
    };
    launch_gemm<Engine>(conv2d_input_grad_implicit_gemm_f32_kernel<Engine, kVec>, problem, size.m, size.n, size.phases, plan,
                        scratch.counters, epilogue, stream, sums);
  });
}

}  // namespace forger::FORGER_DEVICE
