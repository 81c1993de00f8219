// Batch normalisation over rows: x is [M, C], statistics are per column. Ioffe and Szegedy 2015.
#pragma once

#include <cmath>
#include <cstdint>

namespace forger::reference {

/// Two passes: mean, then squared deviations. Running values: momentum * old + (1 - momentum) * batch, where the batch
/// variance is unbiased (times M / (M - 1); biased if M is 1). y may be x; running outputs may be running inputs.
template <class T>
void batch_norm_training(int64_t M, int64_t C, const T* x, const T* gamma, const T* beta, const T* running_mean,
                         const T* running_var, double epsilon, double momentum, T* y, T* mean, T* inv_std, T* new_running_mean,
                         T* new_running_var) {
  for (int64_t c = 0; c < C; ++c) {
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < M; ++i) sum += static_cast<double>(x[i * C + c]);
    const double mu = sum / static_cast<double>(M);
    for (int64_t i = 0; i < M; ++i) {
      const double d = static_cast<double>(x[i * C + c]) - mu;
      squares += d * d;
    }
    const double var = squares / static_cast<double>(M);
    const double unbiased = M > 1 ? squares / static_cast<double>(M - 1) : var;
    const double inv = 1.0 / std::sqrt(var + epsilon);
    for (int64_t i = 0; i < M; ++i) {
      y[i * C + c] = static_cast<T>((static_cast<double>(x[i * C + c]) - mu) * inv) * gamma[c] + beta[c];
    }
    mean[c] = static_cast<T>(mu);
    inv_std[c] = static_cast<T>(inv);
    new_running_mean[c] = static_cast<T>(momentum * static_cast<double>(running_mean[c]) + (1 - momentum) * mu);
    new_running_var[c] = static_cast<T>(momentum * static_cast<double>(running_var[c]) + (1 - momentum) * unbiased);
  }
}

template <class T>
void batch_norm_inference(int64_t M, int64_t C, const T* x, const T* gamma, const T* beta, const T* running_mean,
                          const T* running_var, double epsilon, T* y) {
  for (int64_t c = 0; c < C; ++c) {
    const T scale = gamma[c] / std::sqrt(running_var[c] + static_cast<T>(epsilon));
    for (int64_t i = 0; i < M; ++i) y[i * C + c] = (x[i * C + c] - running_mean[c]) * scale + beta[c];
  }
}

/// With xhat = (x - mean) * inv_std: dbeta = sum(dy), dgamma = sum(dy * xhat),
/// dx = gamma * inv_std * (dy - dbeta / M - xhat * dgamma / M). dx may be dy.
template <class T>
void batch_norm_grad(int64_t M, int64_t C, const T* x, const T* dy, const T* gamma, const T* mean, const T* inv_std, T* dx,
                     T* dgamma, T* dbeta) {
  for (int64_t c = 0; c < C; ++c) {
    double sum_dy = 0, sum_dy_xhat = 0;
    for (int64_t i = 0; i < M; ++i) {
      const double g = static_cast<double>(dy[i * C + c]);
      sum_dy += g;
      sum_dy_xhat += g * static_cast<double>((x[i * C + c] - mean[c]) * inv_std[c]);
    }
    const T mean_dy = static_cast<T>(sum_dy / static_cast<double>(M));
    const T mean_dy_xhat = static_cast<T>(sum_dy_xhat / static_cast<double>(M));
    for (int64_t i = 0; i < M; ++i) {
      const T xhat = (x[i * C + c] - mean[c]) * inv_std[c];
      dx[i * C + c] = gamma[c] * inv_std[c] * (dy[i * C + c] - mean_dy - xhat * mean_dy_xhat);
    }
    dgamma[c] = static_cast<T>(sum_dy_xhat);
    dbeta[c] = static_cast<T>(sum_dy);
  }
}

}  // namespace forger::reference
