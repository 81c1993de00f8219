// Batch normalisation over the rows of x [M, C], f32. Ioffe and Szegedy 2015.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/epilogue_args.h"

namespace forger::FORGER_DEVICE {

/// A batch's mean and 1 / sqrt(variance + epsilon), and the running values after it, as in kernels/reference/batch_norm.h: [C].
/// The new running values may be the old ones.
struct BatchNormStatistics {
  int64_t M, C;
  const float *running_mean, *running_var;
  double epsilon, momentum;
  float *mean, *inv_std, *new_running_mean, *new_running_var;
};
/// Of the columns of x [M, C]. Its workspace is as large as that of batch_norm_training.
void batch_norm_statistics(const float* x, const BatchNormStatistics& args, int multiprocessors, void* workspace,
                           uint32_t* counters, Stream stream);
size_t batch_norm_statistics_counters(int64_t M, int64_t C, int multiprocessors);

/// All pointers are aligned to 16 bytes. y may be x; the new running values may be the old ones; else nothing overlaps.
struct BatchNormTraining {
  int64_t M, C;
  const float *x, *gamma, *beta, *running_mean, *running_var;
  double epsilon, momentum;
  float *y, *mean, *inv_std, *new_running_mean, *new_running_var;  // as in kernels/reference/batch_norm.h
};
size_t batch_norm_workspace_bytes(int64_t M, int64_t C, int multiprocessors);
/// The epilogue is applied to y.
void batch_norm_training(const BatchNormTraining& args, int multiprocessors, void* workspace, Stream stream,
                         const EpilogueArgs& epilogue = {});

/// y = (x - mean) * gamma / sqrt(var + epsilon) + beta, or, if `inv_std` is not null, (x - mean) * gamma * inv_std + beta. y may
/// be x.
struct BatchNormInference {
  int64_t M, C;
  const float *x, *gamma, *beta, *mean, *var, *inv_std;
  float epsilon;
  float* y;
};
void batch_norm_inference(const BatchNormInference& args, int multiprocessors, Stream stream, const EpilogueArgs& epilogue = {});

/// y = (x - mean) * gamma * inv_std + beta of the statistics that the same launch has made.
struct BatchNormApply {
  const float *gamma, *beta;
  float* y;
};

/// dx may be dy. Its workspace is as large as that of the forward pass. The prologue is a tape on dy: what it gives is
/// the gradient of y.
struct BatchNormGrad {
  int64_t M, C;
  const float *x, *dy, *gamma, *mean, *inv_std;
  float *dx, *dgamma, *dbeta;
};
void batch_norm_grad(const BatchNormGrad& args, int multiprocessors, void* workspace, Stream stream,
                     const EpilogueArgs& prologue = {});
/// The rest of it, once there are `sums` [2, C]: of dy and of dy * xhat.
void batch_norm_grad_apply(const BatchNormGrad& args, const float* sums, int multiprocessors, Stream stream);

}  // namespace forger::FORGER_DEVICE
