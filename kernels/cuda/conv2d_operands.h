// Convolution as a matrix product whose operands are gathered on their way into shared memory ("implicit GEMM").
//
// Forward and input gradient are one sum: pixels of a grid times (tap, channel), where pixel (n, i, j) and tap (r, s)
// meet at row first_y + i * stride_h + step * r of image n; step is +1 forward and -1 in the gradient. A gradient with
// strides is stride_h * stride_w such sums ("phases"): input rows of one remainder modulo the stride see only every
// stride-th tap, so that no zeros are multiplied.
#pragma once

#include "kernels/common/conv2d_shape.h"
#include "kernels/cuda/gemm_tile.h"

namespace forger::FORGER_DEVICE {

/// A number in mixed radix that counts up in equal steps: (high * mids + mid) * lows + low.
class Odometer {
 public:
  __device__ __forceinline__ Odometer() {}
  __device__ __forceinline__ Odometer(int value, int lows, int mids)
      : low(value % lows), mid(value / lows % mids), high(value / lows / mids) {}
  /// *this += step, digit by digit: no divisions.
  __device__ __forceinline__ void add(const Odometer& step, int lows, int mids) {
    low += step.low;
    mid += step.mid;
    high += step.high;
    if (low >= lows) low -= lows, ++mid;
    if (mid >= mids) mid -= mids, ++high;
  }
  int low = 0, mid = 0, high = 0;
};

/// A tensor of activations.
struct Image {
  const float* data = nullptr;
  int H = 0, W = 0, C = 0;
};

/// Rows of A: a grid of pixels, and where their taps are in an image.
struct PixelTaps {
  Image image;
  int rows = 0, grid_h = 0, grid_w = 0;  // rows = images * grid_h * grid_w
  int stride_h = 1, stride_w = 1, first_y = 0, first_x = 0;
  int step = 1;
  int R = 0, S = 0;  // taps; k = (r * S + s) * C + c
};

template <int kExtent, int kThreads, int kVec>
class PixelTapsLoader {
  using P = Pieces<Major::k, kExtent, kThreads, kVec>;

 public:
  __device__ __forceinline__ PixelTapsLoader(const PixelTaps& taps, int first, int first_k)
      : taps_(taps), at_(first_k + P::along(), taps.image.C, max(taps.S, 1)), step_(kTileK, taps.image.C, max(taps.S, 1)) {
#pragma unroll
    for (int i = 0; i < P::kCount; ++i) {
      const int row = first + P::across(i);
      const Odometer pixel(row, taps.grid_w, taps.grid_h);
      const int y = pixel.mid * taps.stride_h + taps.first_y;
      x_[i] = pixel.low * taps.stride_w + taps.first_x;
      offset_[i] = ((pixel.high * taps.image.H + y) * taps.image.W + x_[i]) * taps.image.C;
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

/// B of the input gradient: filters KRSC as (tap of the phase, k) x c; taps are r0 + stride_h * r, s0 + stride_w * s.
struct PhaseFilter {
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

/// B of the filter gradient: input pixels that output pixel k = (n, p, q) meets at column (r, s, c).
struct PatchColumns {
  Image image;
  int pixels = 0, P = 0, Q = 0;  // of the output; pixels = N * P * Q
  int stride_h = 1, stride_w = 1, pad_top = 0, pad_left = 0;
  int S = 0, columns = 0;  // columns = R * S * C
};

template <int kExtent, int kThreads, int kVec>
class PatchColumnsLoader {
  using P = Pieces<Major::mn, kExtent, kThreads, kVec>;

 public:
  __device__ __forceinline__ PatchColumnsLoader(const PatchColumns& patch, int first, int first_k)
      : patch_(patch),
        at_(first_k + P::across(0), patch.Q, patch.P),
        step_(P::kStep, patch.Q, patch.P),
        pixel_(first_k + P::across(0)) {
    const Odometer tap(first + P::along(), patch.image.C, patch.S);
    c_ = tap.low;
    dx_ = tap.mid - patch.pad_left;
    dy_ = first + P::along() < patch.columns ? tap.high - patch.pad_top : -(1 << 30);
  }

  __device__ __forceinline__ void load(float* tile) {
    const Image& image = patch_.image;
#pragma unroll
    for (int i = 0; i < P::kCount; ++i) {
      const int y = at_.mid * patch_.stride_h + dy_, x = at_.low * patch_.stride_w + dx_;
      const bool valid = pixel_ + i * P::kStep < patch_.pixels && static_cast<unsigned>(y) < static_cast<unsigned>(image.H) &&
                         static_cast<unsigned>(x) < static_cast<unsigned>(image.W);
      const int offset = valid ? ((at_.high * image.H + y) * image.W + x) * image.C + c_ : 0;
      P::copy(tile, i, image.data, offset, valid);
      at_.add(step_, patch_.Q, patch_.P);
    }
    pixel_ += kTileK;
  }

 private:
  PatchColumns patch_;
  Odometer at_, step_;  // (n, p, q)
  int pixel_, c_, dx_, dy_;
};

}  // namespace forger::FORGER_DEVICE
