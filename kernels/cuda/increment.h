// A counter's next value.
#pragma once

#include <cstdint>

#include "kernels/cuda/stream.h"

namespace forger::FORGER_DEVICE {

/// *out = *in + 1. out may be in.
void increment(const int64_t* in, int64_t* out, Stream stream);

}  // namespace forger::FORGER_DEVICE
