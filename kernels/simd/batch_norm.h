// Batch normalisation over [M, C]: M = N*H*W samples of C channels.
//
// Source: Ioffe, Szegedy, "Batch normalization", ICML 2015, algorithms 1 and 2; running statistics as in Keras.
// Statistics are the moments of blocks merged in a fixed order (Chan, Golub, LeVeque 1979), never E[x^2] - mean^2.
#pragma once

#include "kernels/common/activation.h"
#include "kernels/simd/isa.h"

#include <cstdint>

namespace forger::simd {

/// y = activation(gamma * (x - mean) * inv_std + beta), inv_std = 1 / sqrt(var + eps), with the batch's mean and
/// biased variance;
///   new_running_mean = momentum * running_mean + (1 - momentum) * mean
///   new_running_var  = momentum * running_var  + (1 - momentum) * var * M / (M - 1)     (M = 1: var)
/// y may be x, new_running_* may be running_*.
struct BatchNormTraining {
  int64_t M, C;
  const float* x;                            // [M, C]
  const float *gamma, *beta;                 // [C]
  const float *running_mean, *running_var;   // [C]
  float eps, momentum;
  Activation activation = Activation::none;
  float alpha = 0.f;                         // leaky_relu's slope
  float* y;                                  // [M, C]
  float *mean, *inv_std;                     // [C], for the backward pass
  float *new_running_mean, *new_running_var; // [C]
};
/// Throws ShapeError unless M and C are at least 1.
void batch_norm_training(const BatchNormTraining& p, Isa isa = best_isa());

/// y = activation(gamma * (x - mean) / sqrt(var + eps) + beta), with the running statistics. y may be x.
struct BatchNormInference {
  int64_t M, C;
  const float* x;                            // [M, C]
  const float *gamma, *beta, *mean, *var;    // [C]
  float eps;
  Activation activation = Activation::none;
  float alpha = 0.f;
  float* y;                                  // [M, C]
};
void batch_norm_inference(const BatchNormInference& p, Isa isa = best_isa());

/// The gradient of batch_norm_training without activation:
///   dbeta = sum of dy, dgamma = sum of dy * xhat, with xhat = (x - mean) * inv_std
///   dx = gamma * inv_std * (dy - dbeta / M - xhat * dgamma / M)
/// dx may be dy (or x).
struct BatchNormBackward {
  int64_t M, C;
  const float *x, *dy;                       // [M, C]
  const float *gamma, *mean, *inv_std;       // [C]
  float* dx;                                 // [M, C]
  float *dgamma, *dbeta;                     // [C]
};
/// Throws ShapeError unless M and C are at least 1.
void batch_norm_backward(const BatchNormBackward& p, Isa isa = best_isa());

}  // namespace forger::simd
