// Fused elementwise expressions of several instructions, f32.
#pragma once

#include <span>

#include "kernels/common/elementwise.h"
#include "kernels/cuda/stream.h"
#include "kernels/cuda/tape_source.h"

namespace forger::FORGER_DEVICE {

/// elementwise() of elementwise.h for any number of instructions; n > 0.
void run_tape(const ElementwiseTape& tape, std::span<const ElementwiseInput<float>> inputs, const TapeSource& source, float* out,
              int64_t n, Stream stream);

}  // namespace forger::FORGER_DEVICE
