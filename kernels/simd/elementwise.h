// Fused elementwise expressions.
#pragma once

#include <span>

#include "kernels/common/elementwise.h"
#include "kernels/common/isa.h"

namespace forger::simd {

/// out[i] = tape(inputs[0][i % period 0], inputs[1][i % period 1], ...) for i in [0, n).
/// `out` [n] may be the data of an input of period n (in place), and overlap no input otherwise. exp, log,
/// tanh, sigmoid and softplus are right to 3 ulp or better (leaf/math.h lists them); NaN passes through
/// everything but the slopes. Throws ShapeError for a tape that refers to a value that is not there yet, an
/// input with a period below 1, a number of inputs that is not the tape's, and a tape too large to run (see
/// `supports_tape`). `random` is for tapes with dropout, which has the same bits as random.h's.
void elementwise(const ElementwiseTape& tape, std::span<const ElementwiseInput<float>> inputs, float* out, int64_t n,
                 Isa isa = best_isa(), const TapeRandom& random = {});

/// True if any inputs will do: at most 128 instructions, and few enough values alive at a time. A tape of up
/// to 8 inputs and 16 instructions always is.
bool supports_tape(const ElementwiseTape& tape);

}  // namespace forger::simd
