// Optimizers: one call updates all tensors of a network.
//
// Outputs may be the inputs of the same name (in place). A tensor of size 0 is allowed.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/common/isa.h"

namespace forger::simd {

struct AdamTensor {
  int64_t n;
  const float *p, *m, *v, *g;    // parameter, first and second moment, gradient: [n]
  float *p_out, *m_out, *v_out;  // [n]
};
struct AdamOptions {
  float lr = 1e-3f;
  double beta1 = 0.9, beta2 = 0.999;  // double: 1 - 0.999f is off by 1.3e-5
  float eps = 1e-7f;
};
/// Adam as in Keras 2: t is the count of steps, this one included (1 at the first);
///   lr_t = lr * sqrt(1 - beta2^t) / (1 - beta1^t)
///   m = beta1 * m + (1 - beta1) * g;   v = beta2 * v + (1 - beta2) * g^2;   p = p - lr_t * m / (sqrt(v) +
///   eps)
/// (eps is the paper's "epsilon hat"). Source: Kingma, Ba, "Adam", ICLR 2015, end of section 2.
void adam(std::span<const AdamTensor> tensors, const AdamOptions& options, int64_t t, Isa isa = best_isa());

struct SgdTensor {
  int64_t n;
  const float *p, *v, *g;  // parameter, velocity, gradient: [n]
  float *p_out, *v_out;    // [n]
};
/// v = momentum * v - lr * g;   p = p + v. v and v_out may be null if momentum is 0: p = p - lr * g.
void sgd(std::span<const SgdTensor> tensors, float lr, float momentum, Isa isa = best_isa());

struct RmspropTensor {
  int64_t n;
  const float *p, *r, *g;  // parameter, mean square, gradient: [n]
  float *p_out, *r_out;    // [n]
};
/// r = rho * r + (1 - rho) * g^2;   p = p - lr * g / (sqrt(r) + eps), as in Keras 2.
/// Source: Tieleman, Hinton, COURSERA "Neural networks for machine learning", lecture 6.5.
void rmsprop(std::span<const RmspropTensor> tensors, float lr, double rho, float eps, Isa isa = best_isa());

}  // namespace forger::simd
