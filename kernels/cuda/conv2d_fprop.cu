// y[m, k] = sum over (r, s, c) of x[pixel m, tap r s, c] w[k, r, s, c]: M = N*P*Q, N = K, reduction R*S*C. See gemm_tile.h
// for threads and shared memory, conv2d_operands.h for the gather.
#include "kernels/cuda/conv2d.h"
#include "kernels/cuda/conv2d_operands.h"
#include "kernels/cuda/gemm_launch.h"
#include "kernels/cuda/gemm_statistics.h"

namespace forger::FORGER_DEVICE {

namespace {

template <int kVec>
struct Conv2dProblem {
  static constexpr Major kMajorA = Major::k, kMajorB = Major::k;

  template <class T>
  __device__ __forceinline__ auto loader_a(int first, int first_k) const {
    return PixelTapsLoader<T::kM, T::kThreads, kVec>(taps, first, first_k);
  }
  template <class T>
  __device__ __forceinline__ auto loader_b(int first, int first_k) const {
    return FilterTapsLoader<T::kN, T::kThreads, kVec>(filter, first, first_k);
  }
  __device__ __forceinline__ void enter(int) {}
  template <class T>
  __device__ __forceinline__ void keep_met(int m0, int) {
    const Box met = taps.met(m0, T::kM);
    taps.keep(met);
    filter.keep(met);
    k = met.size() * taps.image.C;
  }
  __device__ __forceinline__ int row_offset(int row) const {
    const PixelTaps::Pixel at = taps.pixel(row);
    return ((at.image * taps.grid_h + at.i) * taps.grid_w + at.j) * n;
  }

  int m, n, k, outputs;
  PixelTaps taps;
  FilterTaps filter;
  const float* bias;
  float *c, *partials;
  GemmStatistics statistics;
};

PixelTaps pixel_taps(const Conv2dShape& s, const float* x) {
  const auto i = [](int64_t value) { return static_cast<int>(value); };
  return {.image = {x, i(s.H), i(s.W), i(s.C)},
          .rows = i(s.N * s.P * s.Q),
          .grid_h = i(s.P),
          .grid_w = i(s.Q),
          .group = image_group(s.N),
          .stride_h = i(s.stride_h),
          .stride_w = i(s.stride_w),
          .first_y = i(-s.pad_top),
          .first_x = i(-s.pad_left),
          .step = 1,
          .R = i(s.R),
          .S = i(s.S)};
}

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
    conv2d_implicit_gemm_f32_kernel(const __grid_constant__ Conv2dProblem<kVec> problem, const GemmGrid grid,
                                    const __grid_constant__ Epilogue epilogue) {
  gemm_block<Engine>(problem, grid, epilogue);
}

}  // namespace

GemmSize conv2d_size(const Conv2dShape& s) {
  const PixelTaps taps = pixel_taps(s, nullptr);
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
    const auto i = [](int64_t value) { return static_cast<int>(value); };
    const Conv2dProblem<kVec> problem{
        .m = i(size.m),
        .n = i(size.n),
        .k = i(size.k),
        .outputs = i(size.outputs),
        .taps = pixel_taps(s, x),
        .filter = {.data = w, .K = i(s.K), .S = i(s.S), .C = i(s.C), .size = i(size.k), .taps_r = i(s.R), .taps_s = i(s.S)},
        .bias = bias,
        .c = y,
        .partials = scratch.partials,
        .statistics = columns,
    };
    launch_gemm<Engine>(conv2d_implicit_gemm_f32_kernel<Engine, kVec>, problem, size.m, size.n, 1, plan, scratch.counters,
                        epilogue, stream);
  });
}

}  // namespace forger::FORGER_DEVICE
