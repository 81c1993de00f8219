// The inner loops of Winograd convolution, compiled once per instruction set.
//
// A "tile" is taps + 2 pixels square and yields 3 x 3 outputs. Transformed tiles are stored frequency-major: element
// (frequency f, channel c) of a tile lies at f * stride + c, with f = row * tile + column.
#pragma once

#include <cstdint>

namespace forger::winograd {

constexpr int kOutputs = 3;  // of a tile, in each dimension

/// Transforms of one tile, all its channels (a multiple of 16).
struct TileKernels {
  /// v = B^T d B. pixels: tile x tile pointers, to zeros where outside the image.
  void (*input)(const float* const* pixels, int64_t channels, float* v, int64_t stride);
  /// y = A^T m A + bias (one per channel, or null). pixels: 3 x 3 pointers, null where outside the image.
  void (*output)(const float* m, int64_t stride, int64_t channels, const float* bias, float* const* pixels);
  /// m = A y A^T. pixels: 3 x 3 pointers, to zeros where outside the image.
  void (*output_grad)(const float* const* pixels, int64_t channels, float* m, int64_t stride);
  /// u = G g G^T for one vector. taps: taps x taps pointers; lane i of each is taps[t][i * lane_stride].
  void (*filter)(const float* const* taps, int64_t lane_stride, float* u, int64_t stride);
  /// g = G^T u G. taps: taps x taps pointers, contiguous over `channels`.
  void (*filter_grad)(const float* u, int64_t stride, int64_t channels, float* const* taps);
};

/// c[m,n] (+)= sum_k a[m * a_row + k * a_k] * b[k, n], one product per frequency.
/// With packed_b, b is cut into panels of panel_width columns, each (k x its width), the last one narrower.
struct Product {
  int64_t m, n, k;
  int64_t a_row, a_k;
  int64_t b_row;  // distance of b's rows; ignored with packed_b
  int64_t c_row;
  bool packed_b, accumulate;
};

struct WinogradKernels {
  TileKernels taps4, taps2;
  void (*multiply)(const Product& product, const float* a, const float* b, float* c);
  int vector_width, panel_width;
};

namespace baseline {
const WinogradKernels& winograd_kernels();
}
namespace avx2 {
const WinogradKernels& winograd_kernels();
}
namespace avx512 {
const WinogradKernels& winograd_kernels();
}

}  // namespace forger::winograd
