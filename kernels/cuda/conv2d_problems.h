// The convolution trio as problems of gemm_tile.h: what each product's operands are, and where its rows lie in the result.
#pragma once

#include "kernels/cuda/conv2d.h"
#include "kernels/cuda/conv2d_operands.h"

namespace forger::FORGER_DEVICE {

/// M = N*P*Q, N = K, reduction R*S*C.
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
  template <int kM>
  __device__ __forceinline__ int slot(int tile) const {
    return tile;
  }

  int m, n, k, outputs;
  PixelTaps taps;
  FilterTaps filter;
  const float* bias;
  float *c, *partials;
};
template <int kVec>
Conv2dProblem<kVec> conv2d_problem(const Conv2dShape& s, const float* x, const float* w, const float* bias, float* y,
                                   float* partials) {
  const auto i = [](int64_t value) { return static_cast<int>(value); };
  const int m = i(s.N * s.P * s.Q), k = i(s.R * s.S * s.C);
  return {
      .m = m,
      .n = i(s.K),
      .k = k,
      .outputs = i(s.output_size()),
      .taps = {.image = {x, i(s.H), i(s.W), i(s.C)},
               .rows = m,
               .grid_h = i(s.P),
               .grid_w = i(s.Q),
               .group = image_group(s.N),
               .stride_h = i(s.stride_h),
               .stride_w = i(s.stride_w),
               .first_y = i(-s.pad_top),
               .first_x = i(-s.pad_left),
               .step = 1,
               .R = i(s.R),
               .S = i(s.S)},
      .filter = {.data = w, .K = i(s.K), .S = i(s.S), .C = i(s.C), .size = k, .taps_r = i(s.R), .taps_s = i(s.S)},
      .bias = bias,
      .c = y,
      .partials = partials,
  };
}

/// Phase by phase: M = N * the phase's pixels, N = C, reduction = its taps x K.
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
  constexpr void enter(int phase) {
    first_h = phase / filter.stride_w;
    first_w = phase % filter.stride_w;
    filter.r0 = (first_h + pad_top) % filter.stride_h;
    filter.s0 = (first_w + pad_left) % filter.stride_w;
    filter.taps_r = std::max(filter.R - filter.r0 + filter.stride_h - 1, 0) / filter.stride_h;
    filter.taps_s = std::max(filter.S - filter.s0 + filter.stride_w - 1, 0) / filter.stride_w;
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

  /// Pixels of a phase along one axis.
  static constexpr int grid_of(int extent, int first, int stride) { return std::max(extent - first + stride - 1, 0) / stride; }
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
template <int kVec>
Conv2dInputGradProblem<kVec> conv2d_input_grad_problem(const Conv2dShape& s, const float* dy, const float* w, const float* bias,
                                                       float* dx, float* partials) {
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
      .taps = {.image = {dy, i(s.P), i(s.Q), i(s.K)}, .group = image_group(s.N), .step = -1},
      .filter =
          {.data = w, .K = i(s.K), .R = i(s.R), .S = i(s.S), .C = i(s.C), .stride_h = i(s.stride_h), .stride_w = i(s.stride_w)},
      .bias = bias,
      .c = dx,
      .partials = partials,
  };
}

/// M = K, N = R*S*C, reduction N*P*Q.
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
template <int kVec>
Conv2dFilterGradProblem<kVec> conv2d_filter_grad_problem(const Conv2dShape& s, const float* x, const float* dy, float* dw,
                                                         float* partials) {
  const auto i = [](int64_t value) { return static_cast<int>(value); };
  const int n = i(s.R * s.S * s.C);
  return {
      .m = i(s.K),
      .n = n,
      .k = i(s.N * s.P * s.Q),
      .outputs = i(s.filter_size()),
      .dy = dy,
      .patch = {.image = {x, i(s.H), i(s.W), i(s.C)},
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
                .columns = n},
      .bias = nullptr,
      .c = dw,
      .partials = partials,
  };
}

}  // namespace forger::FORGER_DEVICE
