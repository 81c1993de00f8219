// Losses with their gradients in one pass.
#include "kernels/simd/leaf/math.h"
#include "kernels/simd/leaf/parts.h"

namespace forger::simd::FORGER_ISA {
namespace {

double bce_with_logits(const float* logits, const float* targets, int64_t n, float scale, float* dlogits) {
  VD low_sum = {}, high_sum = {};
  for_lanes(n, [&](int64_t i, int64_t count) {
    const VF x = load(logits + i, count), t = load(targets + i, count);
    const VF e = exp(-abs(x));
    VF loss = relu(x) - x * t + log1p_unit(e);
    if (count < kLanes) {  // a lane past the end holds log 2, the loss of a zero
      alignas(64) float lanes[kLanes] = {};
      store_partial(lanes, loss, count);
      loss = load(lanes);
    }
    low_sum += low(loss);
    high_sum += high(loss);
    if (dlogits != nullptr) {
      // sigmoid(x) is q or 1 - q with q = sigmoid(-|x|): near a target of 1, (1 - t) - q keeps all of q's
      // digits.
      const VF q = e / (1.f + e);
      store(dlogits + i, (x < 0.f ? q - t : (1.f - t) - q) * scale, count);
    }
  });
  return sum_lanes(low_sum + high_sum);
}

}  // namespace

void add_loss(Leaf& leaf) {
  leaf.bce_with_logits = bce_with_logits;
}

}  // namespace forger::simd::FORGER_ISA
