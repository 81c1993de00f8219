// The update rules of the optimizers, one pass over a tensor and its moments.
#include "kernels/common/vec.h"
#include "kernels/simd/leaf/parts.h"

namespace forger::simd::FORGER_ISA {
namespace {

void adam(const float* p, const float* m, const float* v, const float* g, float* p_out, float* m_out, float* v_out, int64_t n,
          const AdamStep& step) {
  const VF lr = splat(step.lr_t), beta1 = splat(step.beta1), beta2 = splat(step.beta2), eps = splat(step.eps);
  const VF rest1 = splat(step.rest1), rest2 = splat(step.rest2);
  for_lanes(
      n, [&](int64_t i, int64_t count) __attribute__((always_inline)) {
        const VF gradient = load(g + i, count);
        const VF first = fma(beta1, load(m + i, count), rest1 * gradient);
        const VF second = fma(beta2, load(v + i, count), rest2 * gradient * gradient);
        const VF moved = load(p + i, count) - lr * first / (sqrt(second) + eps);
        store(m_out + i, first, count);
        store(v_out + i, second, count);
        store(p_out + i, moved, count);
      });
}

void sgd(const float* p, const float* v, const float* g, float* p_out, float* v_out, int64_t n, float lr, float momentum) {
  if (v == nullptr) {
    for_lanes(
        n, [&](int64_t i, int64_t count)
               __attribute__((always_inline)) { store(p_out + i, load(p + i, count) - lr * load(g + i, count), count); });
    return;
  }
  for_lanes(
      n, [&](int64_t i, int64_t count) __attribute__((always_inline)) {
        const VF velocity = fma(splat(momentum), load(v + i, count), -(lr * load(g + i, count)));
        const VF moved = load(p + i, count) + velocity;
        store(v_out + i, velocity, count);
        store(p_out + i, moved, count);
      });
}

void rmsprop(const float* p, const float* r, const float* g, float* p_out, float* r_out, int64_t n, float lr, float rho,
             float rest, float eps) {
  for_lanes(
      n, [&](int64_t i, int64_t count) __attribute__((always_inline)) {
        const VF gradient = load(g + i, count);
        const VF mean_square = fma(splat(rho), load(r + i, count), rest * gradient * gradient);
        const VF moved = load(p + i, count) - lr * gradient / (sqrt(mean_square) + eps);
        store(r_out + i, mean_square, count);
        store(p_out + i, moved, count);
      });
}

}  // namespace

void add_optimizers(Leaf& leaf) {
  leaf.adam = adam;
  leaf.sgd = sgd;
  leaf.rmsprop = rmsprop;
}

}  // namespace forger::simd::FORGER_ISA
