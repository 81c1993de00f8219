// Losses with their gradients, and softmax.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/reference/elementwise.h"

namespace forger::reference {

/// loss = mean(max(x, 0) - x t + log(1 + exp(-|x|))), dlogits = (sigmoid(x) - t) / n.
template <class T>
void bce_with_logits(int64_t n, const T* x, const T* t, T* loss, T* dlogits) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    sum += static_cast<double>(apply<T>(ScalarOp::softplus, x[i], 0, 0) - x[i] * t[i]);
    dlogits[i] = (apply<T>(ScalarOp::sigmoid, x[i], 0, 0) - t[i]) / static_cast<T>(n);
  }
  *loss = static_cast<T>(sum / static_cast<double>(n));
}

/// Over rows of [N, K]. y may be x.
template <class T>
void softmax(int64_t N, int64_t K, const T* x, T* y) {
  for (int64_t i = 0; i < N; ++i) {
    const T largest = *std::max_element(x + i * K, x + (i + 1) * K);
    T sum = 0;
    for (int64_t k = 0; k < K; ++k) sum += y[i * K + k] = std::exp(x[i * K + k] - largest);
    for (int64_t k = 0; k < K; ++k) y[i * K + k] /= sum;
  }
}

/// loss = mean over rows of log(sum exp(x)) - x[label]; dlogits = (softmax(x) - onehot) / N. Labels lie in [0, K).
template <class T>
void softmax_cross_entropy(int64_t N, int64_t K, const T* x, const int32_t* labels, T* loss, T* dlogits) {
  double sum = 0;
  for (int64_t i = 0; i < N; ++i) {
    const T* row = x + i * K;
    const T largest = *std::max_element(row, row + K);
    T total = 0;
    for (int64_t k = 0; k < K; ++k) total += std::exp(row[k] - largest);
    sum += static_cast<double>(std::log(total) + largest - row[labels[i]]);
    for (int64_t k = 0; k < K; ++k) {
      const T p = std::exp(row[k] - largest) / total;
      dlogits[i * K + k] = (p - (k == labels[i] ? T(1) : T(0))) / static_cast<T>(N);
    }
  }
  *loss = static_cast<T>(sum / static_cast<double>(N));
}

}  // namespace forger::reference
