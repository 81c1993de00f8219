// The size of one 2-D convolution, shared by every provider, test and benchmark.
//
// This header holds the only padding and output-size formulas of the project. Layouts: activations NHWC,
// filters KRSC (K filters out, R height, S width, C channels in).
#pragma once

#include <algorithm>
#include <cstdint>

namespace forger {

/// Letters as in cuDNN and CUTLASS: input N x H x W x C, filter K x R x S x C, output N x P x Q x K.
/// Output pixel (p, q) reads input rows p*stride_h - pad_top + r and columns q*stride_w - pad_left + s.
/// Padding after the last row or column needs no field: reads outside the input are zero.
struct Conv2dShape {
  int64_t N = 1, H = 1, W = 1, C = 1;  // input
  int64_t K = 1, R = 1, S = 1;         // filter
  int64_t P = 1, Q = 1;                // output height, width
  int64_t stride_h = 1, stride_w = 1;
  int64_t pad_top = 0, pad_left = 0;

  int64_t input_size() const { return N * H * W * C; }
  int64_t filter_size() const { return K * R * S * C; }
  int64_t output_size() const { return N * P * Q * K; }

  /// Rows and columns of zeros after the input that the last output pixel reads (0 if it reads none).
  int64_t pad_bottom() const { return std::max<int64_t>((P - 1) * stride_h + R - H - pad_top, 0); }
  int64_t pad_right() const { return std::max<int64_t>((Q - 1) * stride_w + S - W - pad_left, 0); }

  /// Multiply-adds x 2, padding taps included (the convention of published GFLOP/s figures).
  int64_t flops() const { return 2 * N * P * Q * K * R * S * C; }

  bool operator==(const Conv2dShape&) const = default;
};

/// Output size of a 'same' convolution: ceil(input / stride).
constexpr int64_t same_output_size(int64_t input, int64_t stride) {
  return (input + stride - 1) / stride;
}

/// Zeros before the first pixel of a 'same' convolution. As in Keras and TensorFlow the odd one goes after:
/// total = max((P - 1) * stride + R - H, 0), before = total / 2.
constexpr int64_t same_padding_before(int64_t input, int64_t window, int64_t stride) {
  const int64_t output = same_output_size(input, stride);
  return std::max<int64_t>((output - 1) * stride + window - input, 0) / 2;
}

}  // namespace forger
