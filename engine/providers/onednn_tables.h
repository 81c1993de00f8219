// The two halves of the onednn provider's table.
#pragma once

#include <vector>

#include "engine/providers/provider.h"

namespace forger {

std::vector<Kernel> linear_kernels();  // convolution trio and matrix product
std::vector<Kernel> simd_kernels();    // all else

/// What an elementwise kernel's argument array holds.
inline constexpr size_t kMaxTapeOperands = 16;

}  // namespace forger
