// Convolution with one or few output channels, vectorised over the input channels.
//
// A matrix product has nothing to do with one column; here the accumulators are pixels instead. Forward: kPixels
// neighbouring outputs share each filter vector, one multiply-add per load. Filter gradient: one pixel's vector of x
// meets all S taps of a filter row, whose gradients stay in registers over the whole image.
#include "kernels/direct/few_outputs_kernels.h"

#include "kernels/common/vec.h"

namespace forger::direct::FORGER_ISA {
namespace {

constexpr int kPixels = 14;  // accumulators; with the filter's vector they fit AVX2's 16 registers

/// `Pixels` outputs of one row and channel, into y with distance K. x: the first tap of the first of them.
template <int Pixels>
void forward_pixels(const FewOutputs& g, const float* x, const float* w, float bias, float* y) {
  VF sum[Pixels] = {};
  const int64_t step = g.stride_w * g.C;
  for (int64_t r = 0; r < g.R; ++r) {
    // The taps of one filter row, and the pixels they meet, both lie one after another in memory: (S x C).
    const float* const x_row = x + r * g.padded_width * g.C;
    const float* const w_row = w + r * g.S * g.C;
    for (int64_t i = 0; i < g.S * g.C; i += kLanes) {
      const VF tap = load(w_row + i);
#pragma GCC unroll 14
      for (int j = 0; j < Pixels; ++j) sum[j] += load(x_row + i + j * step) * tap;
    }
  }
  for (int j = 0; j < Pixels; ++j) y[j * g.K] = sum_lanes(sum[j]) + bias;
}

void forward(const FewOutputs& g, const float* padded_x, const float* w, const float* bias, float* y) {
  for (int64_t p = 0; p < g.P; ++p) {
    const float* const x_row = padded_x + p * g.stride_h * g.padded_width * g.C;
    for (int64_t k = 0; k < g.K; ++k) {
      const float* const filter = w + k * g.R * g.S * g.C;
      const float b = bias ? bias[k] : 0;
      float* const y_row = y + p * g.Q * g.K + k;
      int64_t q = 0;
      for (; q + kPixels <= g.Q; q += kPixels) {
        forward_pixels<kPixels>(g, x_row + q * g.stride_w * g.C, filter, b, y_row + q * g.K);
      }
      for (; q < g.Q; ++q) forward_pixels<1>(g, x_row + q * g.stride_w * g.C, filter, b, y_row + q * g.K);
    }
  }
}

/// Gradient of filter row r, channels c .. c + Vecs * kLanes.
template <int S, int Vecs>
void filter_row_grad(const FewOutputs& g, const float* x, const float* dy, int64_t r, float* dw) {
  VF sum[S][Vecs] = {};
  const int64_t dy_width = g.W + S - 1;
  for (int64_t h = 0; h < g.H; ++h) {
    const float* dy_row = dy + (h + g.R - 1 - r) * dy_width;
    const float* pixel = x + h * g.W * g.C;
    for (int64_t w = 0; w < g.W; ++w, pixel += g.C, ++dy_row) {
      VF value[Vecs];
      for (int v = 0; v < Vecs; ++v) value[v] = load(pixel + v * kLanes);
#pragma GCC unroll 8
      for (int s = 0; s < S; ++s) {
        for (int v = 0; v < Vecs; ++v) sum[s][v] += value[v] * dy_row[S - 1 - s];
      }
    }
  }
  for (int s = 0; s < S; ++s) {
    for (int v = 0; v < Vecs; ++v) store(dw + s * g.C + v * kLanes, sum[s][v]);
  }
}

template <int S>
void filter_grad_width(const FewOutputs& g, const float* x, const float* padded_dy, float* dw) {
  constexpr int kVecs = kLanes == 16 ? 2 : 1;  // 2 x 8 accumulators need AVX-512's 32 registers
  for (int64_t k = 0; k < g.K; ++k) {
    const float* const dy = padded_dy + k * (g.H + g.R - 1) * (g.W + S - 1);
    for (int64_t r = 0; r < g.R; ++r) {
      float* const row = dw + (k * g.R + r) * S * g.C;
      int64_t c = 0;
      for (; c + kVecs * kLanes <= g.C; c += kVecs * kLanes) filter_row_grad<S, kVecs>(g, x + c, dy, r, row + c);
      for (; c < g.C; c += kLanes) filter_row_grad<S, 1>(g, x + c, dy, r, row + c);
    }
  }
}

void filter_grad(const FewOutputs& g, const float* x, const float* padded_dy, float* dw) {
  using Kernel = void (*)(const FewOutputs&, const float*, const float*, float*);
  constexpr Kernel by_width[kMaxFilterWidth] = {filter_grad_width<1>, filter_grad_width<2>, filter_grad_width<3>,
                                                filter_grad_width<4>, filter_grad_width<5>, filter_grad_width<6>,
                                                filter_grad_width<7>, filter_grad_width<8>};
  by_width[g.S - 1](g, x, padded_dy, dw);
}

}  // namespace

FewOutputsKernels few_outputs_kernels() {
  return {forward, filter_grad};
}

}  // namespace forger::direct::FORGER_ISA
