// The sum of partial results, with bias and epilogue.
#pragma once

#include <cstdint>

#include "kernels/cuda/epilogue_args.h"
#include "kernels/cuda/stream.h"

namespace forger::FORGER_DEVICE {

/// out[i] = bias[i % columns] + partials[0][i] + partials[1][i] + ... in this order. partials: [splits][size];
/// bias: [columns] or null. What is written is the epilogue of that.
void split_k_sum(const float* partials, int splits, int64_t size, const float* bias, int columns, float* out, Stream stream,
                 const EpilogueArgs& epilogue = {});

}  // namespace forger::FORGER_DEVICE
