// Batch normalisation over rows: x is [M, C], statistics are per column. Ioffe and Szegedy 2015.
#pragma once

#include <cmath>
#include <cstdint>

namespace forger::reference {

/// Where the statistics of a batch go, [C] each: its mean and 1 / sqrt(variance + epsilon), and the running values after it.
template <class T>
struct BatchNormStatistics {
  double epsilon, momentum;
  const T *running_mean, *running_var;
  T *mean, *inv_std, *new_running_mean, *new_running_var;
};

/// A column's mean and 1 / sqrt(variance + epsilon), before they are rounded.
struct ColumnMoments {
  double mean, inv_std;
};

/// Two passes over column c of x [M, C]: mean, then squared deviations. Running values: momentum * old + (1 - momentum) *
/// batch, where the batch variance is unbiased (times M / (M - 1); biased if M is 1). They may take the old ones' place.
template <class T>
ColumnMoments batch_norm_column(int64_t M, int64_t C, const T* x, int64_t c, const BatchNormStatistics<T>& to) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < M; ++i) sum += static_cast<double>(x[i * C + c]);
  const double mu = sum / static_cast<double>(M);
  for (int64_t i = 0; i < M; ++i) {
    const double d = static_cast<double>(x[i * C + c]) - mu;
    squares += d * d;
  }
  const double var = squares / static_cast<double>(M);
  const double unbiased = M > 1 ? squares / static_cast<double>(M - 1) : var;
  const double inv = 1.0 / std::sqrt(var + to.epsilon);
  to.mean[c] = static_cast<T>(mu);
  to.inv_std[c] = static_cast<T>(inv);
  to.new_running_mean[c] = static_cast<T>(to.momentum * static_cast<double>(to.running_mean[c]) + (1 - to.momentum) * mu);
  to.new_running_var[c] = static_cast<T>(to.momentum * static_cast<double>(to.running_var[c]) + (1 - to.momentum) * unbiased);
  return {mu, inv};
}

template <class T>
void batch_norm_statistics(int64_t M, int64_t C, const T* x, const BatchNormStatistics<T>& to) {
  for (int64_t c = 0; c < C; ++c) batch_norm_column(M, C, x, c, to);
}

/// y may be x.
template <class T>
void batch_norm_training(int64_t M, int64_t C, const T* x, const T* gamma, const T* beta, const BatchNormStatistics<T>& to,
                         T* y) {
  for (int64_t c = 0; c < C; ++c) {
    const auto [mu, inv] = batch_norm_column(M, C, x, c, to);
    for (int64_t i = 0; i < M; ++i) {
      y[i * C + c] = static_cast<T>((static_cast<double>(x[i * C + c]) - mu) * inv) * gamma[c] + beta[c];
    }
  }
}

/// y = (x - mean) * inv_std * gamma + beta. y may be x.
template <class T>
void batch_norm_apply(int64_t M, int64_t C, const T* x, const T* mean, const T* inv_std, const T* gamma, const T* beta, T* y) {
  for (int64_t i = 0; i < M; ++i) {
    for (int64_t c = 0; c < C; ++c) y[i * C + c] = (x[i * C + c] - mean[c]) * inv_std[c] * gamma[c] + beta[c];
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
