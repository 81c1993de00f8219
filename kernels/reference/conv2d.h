// The convolution trio in plain loops. Activations NHWC, filters KRSC.
#pragma once

#include "kernels/common/conv2d_shape.h"

namespace forger::reference {

/// Calls f(input index of channel 0, filter offset (r * S + s) * C, output index of filter 0) for every pair of an
/// input pixel and an output pixel that meet. All three operations are sums over these meetings.
template <class F>
void for_each_tap(const Conv2dShape& s, F f) {
  for (int64_t n = 0; n < s.N; ++n) {
    for (int64_t p = 0; p < s.P; ++p) {
      for (int64_t q = 0; q < s.Q; ++q) {
        for (int64_t r = 0; r < s.R; ++r) {
          const int64_t h = p * s.stride_h - s.pad_top + r;
          if (h < 0 || h >= s.H) continue;  // padding
          for (int64_t t = 0; t < s.S; ++t) {
            const int64_t w = q * s.stride_w - s.pad_left + t;
            if (w < 0 || w >= s.W) continue;
            f(((n * s.H + h) * s.W + w) * s.C, (r * s.S + t) * s.C, ((n * s.P + p) * s.Q + q) * s.K);
          }
        }
      }
    }
  }
}

template <class T>
void fill_rows(T* y, int64_t rows, int64_t columns, const T* bias) {
  for (int64_t i = 0; i < rows * columns; ++i) y[i] = bias ? bias[i % columns] : T(0);
}

/// y[n,p,q,k] = bias[k] + sum_{r,s,c} x[n, p*stride - pad + r, q*stride - pad + s, c] * w[k,r,s,c]. bias may be null.
template <class T>
void conv2d(const Conv2dShape& s, const T* x, const T* w, const T* bias, T* y) {
  fill_rows(y, s.N * s.P * s.Q, s.K, bias);
  const int64_t per_filter = s.R * s.S * s.C;
  for_each_tap(s, [&](int64_t in, int64_t tap, int64_t out) {
    for (int64_t k = 0; k < s.K; ++k) {
      for (int64_t c = 0; c < s.C; ++c) y[out + k] += x[in + c] * w[k * per_filter + tap + c];
    }
  });
}

/// dx: the same sum, read from the output's side; with bias[c] it is a transposed convolution. bias may be null.
template <class T>
void conv2d_input_grad(const Conv2dShape& s, const T* dy, const T* w, const T* bias, T* dx) {
  fill_rows(dx, s.N * s.H * s.W, s.C, bias);
  const int64_t per_filter = s.R * s.S * s.C;
  for_each_tap(s, [&](int64_t in, int64_t tap, int64_t out) {
    for (int64_t k = 0; k < s.K; ++k) {
      for (int64_t c = 0; c < s.C; ++c) dx[in + c] += dy[out + k] * w[k * per_filter + tap + c];
    }
  });
}

template <class T>
void conv2d_filter_grad(const Conv2dShape& s, const T* x, const T* dy, T* dw) {
  fill_rows<T>(dw, s.K, s.R * s.S * s.C, nullptr);
  const int64_t per_filter = s.R * s.S * s.C;
  for_each_tap(s, [&](int64_t in, int64_t tap, int64_t out) {
    for (int64_t k = 0; k < s.K; ++k) {
      for (int64_t c = 0; c < s.C; ++c) dw[k * per_filter + tap + c] += x[in + c] * dy[out + k];
    }
  });
}

}  // namespace forger::reference
