// Optimizer updates of all tensors of a network, f32.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/cuda/stream.h"

namespace forger::FORGER_DEVICE {

/// A tensor of n elements with its slots: adam's m and v; the others' only slot is slot[0]. Every output may be its own
/// input. Pointers are aligned to 16 bytes.
struct OptimizerTensor {
  int64_t n;
  const float *p, *g, *slot[2];
  float *new_p, *new_slot[2];
};

/// As kernels/reference/optimizer.h. t and lr are device values: a replayed CUDA graph repeats its arguments.
void adam(std::span<const OptimizerTensor> tensors, const int64_t* t, const float* lr, double beta1, double beta2, double epsilon,
          Stream stream);
void sgd_momentum(std::span<const OptimizerTensor> tensors, const float* lr, double momentum, Stream stream);
void rmsprop(std::span<const OptimizerTensor> tensors, const float* lr, double rho, double epsilon, Stream stream);

}  // namespace forger::FORGER_DEVICE
