// Matrix product and bias in plain loops, row-major.
#pragma once

#include <cstdint>

namespace forger::reference {

/// c[m,n] = bias[n] + op(a)[m,k] op(b)[k,n], where op transposes if asked. bias may be null.
template <class T>
void matmul(int64_t m, int64_t n, int64_t k, bool transpose_a, bool transpose_b, const T* a, const T* b, const T* bias, T* c) {
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      T sum = bias ? bias[j] : T(0);
      for (int64_t l = 0; l < k; ++l) {
        sum += (transpose_a ? a[l * m + i] : a[i * k + l]) * (transpose_b ? b[j * k + l] : b[l * n + j]);
      }
      c[i * n + j] = sum;
    }
  }
}

/// y[i,c] = x[i,c] + b[c]. y may be x.
template <class T>
void bias_add(int64_t rows, int64_t channels, const T* x, const T* b, T* y) {
  for (int64_t i = 0; i < rows * channels; ++i) y[i] = x[i] + b[i % channels];
}

}  // namespace forger::reference
