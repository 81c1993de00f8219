// Batch normalisation over the rows of x [M, C], f32. Ioffe and Szegedy 2015.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/stream.h"

namespace forger::FORGER_DEVICE {

/// All pointers are aligned to 16 bytes. y may be x; the new running values may be the old ones; else nothing overlaps.
struct BatchNormTraining {
  int64_t M, C;
  const float *x, *gamma, *beta, *running_mean, *running_var;
  double epsilon, momentum;
  float *y, *mean, *inv_std, *new_running_mean, *new_running_var;  // as in kernels/reference/batch_norm.h
};
size_t batch_norm_workspace_bytes(int64_t M, int64_t C, int multiprocessors);
void batch_norm_training(const BatchNormTraining& args, int multiprocessors, void* workspace, Stream stream);

/// y = (x - mean) * gamma / sqrt(var + epsilon) + beta. y may be x.
struct BatchNormInference {
  int64_t M, C;
  const float *x, *gamma, *beta, *mean, *var;
  float epsilon;
  float* y;
};
void batch_norm_inference(const BatchNormInference& args, int multiprocessors, Stream stream);

/// dx may be dy. Its workspace is as large as that of the forward pass.
struct BatchNormGrad {
  int64_t M, C;
  const float *x, *dy, *gamma, *mean, *inv_std;
  float *dx, *dgamma, *dbeta;
};
void batch_norm_grad(const BatchNormGrad& args, int multiprocessors, void* workspace, Stream stream);

}  // namespace forger::FORGER_DEVICE
