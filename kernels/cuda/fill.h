// One number everywhere.
#pragma once

#include <cstdint>

#include "kernels/cuda/stream.h"

namespace forger::FORGER_DEVICE {

/// out[i] = value for i in [0, n). out is aligned to 16 bytes.
void fill(float value, float* out, int64_t n, Stream stream);

}  // namespace forger::FORGER_DEVICE
