// Convolution as a matrix product whose operands are gathered on their way into shared memory ("implicit GEMM").
//
// Forward and input gradient are one sum: pixels of a grid times (tap, channel), where pixel (n, i, j) and tap (r, s)
// meet at row first_y + i * stride_h + step * r of image n; step is +1 forward and -1 in the gradient. A gradient with
// strides is stride_h * stride_w such sums ("phases"): input rows of one remainder modulo the stride see only every
// stride-th tap, so that no zeros are multiplied.
// Nor are those of the padding, where all of a tile would multiply them (conv2d_taps.h).
#pragma once

#include "kernels/common/conv2d_shape.h"
#include "kernels/cuda/conv2d_taps.h"
#include "kernels/cuda/gemm_tile.h"

namespace forger::FORGER_DEVICE {

template <int kExtent, int kThreads, int kVec>
class PixelTapsLoader {
  using P = Pieces<Major::k, kExtent, kThreads, kVec>;

 public:
  __device__ __forceinline__ PixelTapsLoader(const PixelTaps& taps, int first, int first_k)
      : taps_(taps), at_(first_k + P::along(), taps.image.C, max(taps.S, 1)), step_(kTileK, taps.image.C, max(taps.S, 1)) {
#pragma unroll
    for (int i = 0; i < P::kCount; ++i) {
      const int row = first + P::across(i);
      const PixelTaps::Pixel pixel = taps.pixel(row);
      const int y = pixel.i * taps.stride_h + taps.first_y;
      x_[i] = pixel.j * taps.stride_w + taps.first_x;
      offset_[i] = ((pixel.image * taps.image.H + y) * taps.image.W + x_[i]) * taps.image.C;
      y_[i] = row < taps.rows ? y : -(1 << 30);  // a row beyond the last is above the image whatever the tap
    }
  }

  __device__ __forceinline__ void load(float* tile) {
    const Image& image = taps_.image;
    const int dy = taps_.step * at_.high, dx = taps_.step * at_.mid;
    const int tap = (dy * image.W + dx) * image.C + at_.low;
#pragma unroll
    for (int i = 0; i < P::kCount; ++i) {
      const bool valid = at_.high < taps_.R && static_cast<unsigned>(y_[i] + dy) < static_cast<unsigned>(image.H) &&
                         static_cast<unsigned>(x_[i] + dx) < static_cast<unsigned>(image.W);
      P::copy(tile, i, image.data, valid ? offset_[i] + tap : 0, valid);
    }
    at_.add(step_, image.C, taps_.S);
  }

 private:
  PixelTaps taps_;
  Odometer at_, step_;  // (r, s, c) of this thread's first element; all its pieces are at the same k
  int y_[P::kCount], x_[P::kCount], offset_[P::kCount];  // of tap (0, 0)
};

/// B of the forward product: filters KRSC as k x (r, s, c), of which a rectangle of taps is multiplied.
struct FilterTaps {
  constexpr void keep(const Box& taps) {
    r0 += taps.rows.first;
    s0 += taps.columns.first;
    taps_r = taps.rows.size();
    taps_s = taps.columns.size();
  }

  const float* data = nullptr;
  int K = 0, S = 0, C = 0, size = 0;  // the whole filter; size = R * S * C
  int r0 = 0, s0 = 0;                 // the first tap
  int taps_r = 0, taps_s = 0;
};

template <int kExtent, int kThreads, int kVec>
class FilterTapsLoader {
  using P = Pieces<Major::k, kExtent, kThreads, kVec>;

 public:
  __device__ __forceinline__ FilterTapsLoader(const FilterTaps& filter, int first, int first_k)
      : filter_(filter),
        at_(first_k + P::along(), filter.C, max(filter.taps_s, 1)),
        step_(kTileK, filter.C, max(filter.taps_s, 1)),
        first_(first) {}

  __device__ __forceinline__ void load(float* tile) {
    const FilterTaps& f = filter_;
    const int tap = ((f.r0 + at_.high) * f.S + f.s0 + at_.mid) * f.C + at_.low;
#pragma unroll
    for (int i = 0; i < P::kCount; ++i) {
      const int k = first_ + P::across(i);
      const bool valid = k < f.K && at_.high < f.taps_r;
      P::copy(tile, i, f.data, valid ? k * f.size + tap : 0, valid);
    }
    at_.add(step_, f.C, f.taps_s);
  }

 private:
  FilterTaps filter_;
  Odometer at_, step_;  // (r, s, c) from the first tap on; all pieces of a thread are at the same
  int first_;
};

/// B of the input gradient: filters KRSC as (tap of the phase, k) x c; taps are r0 + stride_h * r, s0 + stride_w * s.
struct PhaseFilter {
  constexpr void keep(const Box& taps) {
    r0 += stride_h * taps.rows.first;
    s0 += stride_w * taps.columns.first;
    taps_r = taps.rows.size();
    taps_s = taps.columns.size();
  }

  const float* data = nullptr;
  int K = 0, R = 0, S = 0, C = 0;  // the whole filter
  int stride_h = 1, stride_w = 1, r0 = 0, s0 = 0;
  int taps_r = 0, taps_s = 0;
};

template <int kExtent, int kThreads, int kVec>
class PhaseFilterLoader {
  using P = Pieces<Major::mn, kExtent, kThreads, kVec>;

 public:
  __device__ __forceinline__ PhaseFilterLoader(const PhaseFilter& filter, int first, int first_k)
      : filter_(filter),
        at_(first_k + P::across(0), filter.K, max(filter.taps_s, 1)),
        step_(P::kStep, filter.K, max(filter.taps_s, 1)),
        c_(first + P::along()) {}

  __device__ __forceinline__ void load(float* tile) {
    const PhaseFilter& f = filter_;
#pragma unroll
    for (int i = 0; i < P::kCount; ++i) {
      const int r = f.r0 + f.stride_h * at_.high, s = f.s0 + f.stride_w * at_.mid;
      const bool valid = at_.high < f.taps_r && c_ < f.C;
      P::copy(tile, i, f.data, valid ? ((at_.low * f.R + r) * f.S + s) * f.C + c_ : 0, valid);
      at_.add(step_, f.K, f.taps_s);  // to the next piece; from the last to the first of the next stage
    }
  }

 private:
  PhaseFilter filter_;
  Odometer at_, step_;  // (r, s, k)
  int c_;
};

/// Rows of A of the filter gradient: dy, [pixel, K].
template <int kExtent, int kThreads, int kVec>
class GradientRowsLoader {
  using Copies = Pieces<Major::mn, kExtent, kThreads, kVec>;

 public:
  __device__ __forceinline__ GradientRowsLoader(const float* dy, int K, const PatchColumns& patch, int first, int first_k)
      : dy_(dy),
        K_(K),
        patch_(patch),
        at_(first_k + Copies::across(0), max(patch.grid_w, 1), max(patch.grid_h, 1)),
        step_(Copies::kStep, max(patch.grid_w, 1), max(patch.grid_h, 1)),
        k_(first + Copies::along()) {}

  __device__ __forceinline__ void load(float* tile) {
#pragma unroll
    for (int i = 0; i < Copies::kCount; ++i) {
      const bool valid = at_.high < patch_.images && k_ < K_;
      const int pixel = (at_.high * patch_.P + patch_.top + at_.mid) * patch_.Q + patch_.left + at_.low;
      Copies::copy(tile, i, dy_, valid ? pixel * K_ + k_ : 0, valid);
      at_.add(step_, patch_.grid_w, patch_.grid_h);
    }
  }

 private:
  const float* dy_;
  int K_;
  PatchColumns patch_;
  Odometer at_, step_;  // (image, i, j)
  int k_;
};

/// Columns of B of the filter gradient: the input pixels that output pixels meet at (r, s, c).
template <int kExtent, int kThreads, int kVec>
class PatchColumnsLoader {
  using P = Pieces<Major::mn, kExtent, kThreads, kVec>;

 public:
  __device__ __forceinline__ PatchColumnsLoader(const PatchColumns& patch, int first, int first_k)
      : patch_(patch),
        at_(first_k + P::across(0), max(patch.grid_w, 1), max(patch.grid_h, 1)),
        step_(P::kStep, max(patch.grid_w, 1), max(patch.grid_h, 1)) {
    const Odometer tap(first + P::along(), patch.image.C, patch.S);
    c_ = tap.low;
    dx_ = tap.mid - patch.pad_left + patch.left * patch.stride_w;
    dy_ = first + P::along() < patch.columns ? tap.high - patch.pad_top + patch.top * patch.stride_h : -(1 << 30);
  }

  __device__ __forceinline__ void load(float* tile) {
    const Image& image = patch_.image;
#pragma unroll
    for (int i = 0; i < P::kCount; ++i) {
      const int y = at_.mid * patch_.stride_h + dy_, x = at_.low * patch_.stride_w + dx_;
      const bool valid = at_.high < patch_.images && static_cast<unsigned>(y) < static_cast<unsigned>(image.H) &&
                         static_cast<unsigned>(x) < static_cast<unsigned>(image.W);
      const int offset = valid ? ((at_.high * image.H + y) * image.W + x) * image.C + c_ : 0;
      P::copy(tile, i, image.data, offset, valid);
      at_.add(step_, patch_.grid_w, patch_.grid_h);
    }
  }

 private:
  PatchColumns patch_;
  Odometer at_, step_;  // (image, i, j)
  int c_, dx_, dy_;
};

}  // namespace forger::FORGER_DEVICE
