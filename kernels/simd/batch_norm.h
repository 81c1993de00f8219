// Batch normalisation over [M, C]: M = N*H*W samples of C channels.
//
// Source: Ioffe, Szegedy, "Batch normalization", ICML 2015, algorithms 1 and 2; running statistics as in
// Keras. Statistics are the moments of blocks merged in a fixed order (Chan, Golub, LeVeque 1979), never
// E[x^2] - mean^2.
#pragma once

#include <cstdint>

#include "kernels/common/isa.h"

namespace forger::simd {

/// y = gamma * (x - mean) * inv_std + beta, inv_std = 1 / sqrt(var + eps), with the batch's mean
/// and biased variance;
///   new_running_mean = momentum * running_mean + (1 - momentum) * mean
///   new_running_var  = momentum * running_var  + (1 - momentum) * var * M / (M - 1)     (M = 1: var)
/// y may be x, new_running_* may be running_*.
struct BatchNormTraining {
  int64_t M = 0, C = 0;
  const float* x = nullptr;                                     // [M, C]
  const float *gamma = nullptr, *beta = nullptr;                // [C]
  const float *running_mean = nullptr, *running_var = nullptr;  // [C]
  float eps = 0, momentum = 0;
  float* y = nullptr;                                             // [M, C]
  float *mean = nullptr, *inv_std = nullptr;                      // [C], for the backward pass
  float *new_running_mean = nullptr, *new_running_var = nullptr;  // [C]
};
/// Throws ShapeError unless M and C are at least 1.
void batch_norm_training(const BatchNormTraining& p, Isa isa = best_isa());

/// The statistics alone; p.gamma, p.beta and p.y may be null.
void batch_norm_statistics(const BatchNormTraining& p, Isa isa = best_isa());

/// y = gamma * (x - mean) * inv_std + beta. y may be x.
struct BatchNormApply {
  int64_t M = 0, C = 0;
  const float* x = nullptr;                                                            // [M, C]
  const float *mean = nullptr, *inv_std = nullptr, *gamma = nullptr, *beta = nullptr;  // [C]
  float* y = nullptr;                                                                  // [M, C]
};
void batch_norm_apply(const BatchNormApply& p, Isa isa = best_isa());

/// y = gamma * (x - mean) / sqrt(var + eps) + beta, with the running statistics. y may be x.
struct BatchNormInference {
  int64_t M = 0, C = 0;
  const float* x = nullptr;                                                        // [M, C]
  const float *gamma = nullptr, *beta = nullptr, *mean = nullptr, *var = nullptr;  // [C]
  float eps = 0;
  float* y = nullptr;  // [M, C]
};
void batch_norm_inference(const BatchNormInference& p, Isa isa = best_isa());

/// The gradient of batch_norm_training:
///   dbeta = sum of dy, dgamma = sum of dy * xhat, with xhat = (x - mean) * inv_std
///   dx = gamma * inv_std * (dy - dbeta / M - xhat * dgamma / M)
/// dx may be dy (or x).
struct BatchNormBackward {
  int64_t M = 0, C = 0;
  const float *x = nullptr, *dy = nullptr;                            // [M, C]
  const float *gamma = nullptr, *mean = nullptr, *inv_std = nullptr;  // [C]
  float* dx = nullptr;                                                // [M, C]
  float *dgamma = nullptr, *dbeta = nullptr;                          // [C]
};
/// Throws ShapeError unless M and C are at least 1.
void batch_norm_backward(const BatchNormBackward& p, Isa isa = best_isa());

}  // namespace forger::simd
