// Elementwise operations and fused tapes of them, f32.
#pragma once

#include <span>

#include "kernels/common/elementwise.h"
#include "kernels/cuda/stream.h"
#include "kernels/cuda/tape_source.h"

namespace forger::FORGER_DEVICE {

inline constexpr size_t kMaxTapeInputs = 12, kMaxTapeInstructions = 24;

/// out[i] = the tape's value with input j = inputs[j].data[i % period], for i in [0, n). out may be an input whose period
/// is n. At most kMaxTapeInputs inputs and kMaxTapeInstructions instructions. Pointers are aligned to 16 bytes. `source`:
/// for tapes with dropout.
void elementwise(const ElementwiseTape& tape, std::span<const ElementwiseInput<float>> inputs, const TapeSource& source,
                 float* out, int64_t n, Stream stream);

}  // namespace forger::FORGER_DEVICE
