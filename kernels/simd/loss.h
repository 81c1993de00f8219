// Losses with their gradients in one pass.
#pragma once

#include <cstdint>

#include "kernels/common/isa.h"

namespace forger::simd {

/// Binary cross-entropy of sigmoid(x) against targets t in [0, 1], from the logits, without overflow:
///   loss[0] = mean of max(x, 0) - x * t + log1p(exp(-|x|)),   dlogits = (sigmoid(x) - t) / n
/// logits, targets, dlogits [n]; dlogits may be null, or logits or targets. Throws ShapeError for n < 1.
void bce_with_logits(const float* logits, const float* targets, int64_t n, float* loss, float* dlogits, Isa isa = best_isa());

}  // namespace forger::simd
