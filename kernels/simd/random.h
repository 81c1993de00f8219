// Random tensors from Philox (kernels/common/philox.h).
//
// Element i is drawn from word i % 4 of philox_block(seed, stream, step, i / 4), whatever the instruction set
// or the number of threads. At most 2^34 elements a tensor; more throw ShapeError.
#pragma once

#include <cstdint>

#include "kernels/common/isa.h"

namespace forger::simd {

/// out[i] = low + (high - low) * u, u = philox_uniform(word) in [0, 1). The same bits on every instruction
/// set. (Rounding may give `high` itself, unless high - low and low are such that nothing is rounded: as 0
/// and 1, or -1 and 1.)
void random_uniform(float* out, int64_t n, float low, float high, uint64_t seed, uint64_t stream, uint64_t step,
                    Isa isa = best_isa());

/// Box-Muller: words 0 and 1 give elements 0 and 1 of four, r * cos(a) and r * sin(a), words 2 and 3 the
/// others; r = sqrt(-2 log(philox_uniform_nonzero(even word))), a = 2 pi philox_uniform(odd word); out = mean
/// + stddev * it. |out - mean| <= 5.77 stddev.
void random_normal(float* out, int64_t n, float mean, float stddev, uint64_t seed, uint64_t stream, uint64_t step,
                   Isa isa = best_isa());

/// out[i] = philox_uniform(word) >= rate ? x[i] / (1 - rate) : 0, for rate in [0, 1). The gradient is the
/// same call on dy: the mask is drawn again. out may be x. Throws ConfigError for another rate.
void dropout(const float* x, float* out, int64_t n, float rate, uint64_t seed, uint64_t stream, uint64_t step,
             Isa isa = best_isa());

}  // namespace forger::simd
