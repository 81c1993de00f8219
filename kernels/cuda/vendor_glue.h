// What the vendor libraries leave to do around a convolution: rounding operands to bf16, and a bias that no engine adds.
#pragma once

#include <cstdint>

#include "kernels/cuda/stream.h"

namespace forger::FORGER_DEVICE {

/// a16[i] = bf16(a[i]) and b16[i] = bf16(b[i]), nearest even, as bit patterns, in one launch. All pointers aligned to 16
/// bytes; sizes in elements, either may be 0; nothing overlaps. Throws DeviceError if the launch is refused.
void round_to_bf16(const float* a, int64_t a_size, uint16_t* a16, const float* b, int64_t b_size, uint16_t* b16, Stream stream);

/// y[row, c] += bias[c] for y: [rows, channels]. Pointers aligned to 16 bytes. Throws as above.
void add_bias_in_place(float* y, const float* bias, int64_t rows, int64_t channels, Stream stream);

}  // namespace forger::FORGER_DEVICE
