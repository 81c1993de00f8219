// What a tape with dropout draws its random numbers from.
#pragma once

#include <cstdint>

#include "kernels/cuda/stream.h"

namespace forger::FORGER_DEVICE {

/// Seed and step are device values: a replayed CUDA graph draws new numbers. Null for a tape without dropout.
struct TapeSource {
  const uint64_t* seed = nullptr;
  const int64_t* step = nullptr;
};

}  // namespace forger::FORGER_DEVICE
