// The parts of the onednn provider's table, in their order.
#pragma once

#include <vector>

#include "engine/providers/provider.h"

namespace forger {

std::vector<Kernel> linear_kernels();   // convolutions by kernels of our own
std::vector<Kernel> library_kernels();  // convolutions and products by oneDNN, or what stands in for it
std::vector<Kernel> simd_kernels();     // all else

/// What an elementwise kernel's argument array holds.
inline constexpr size_t kMaxTapeOperands = 16;

}  // namespace forger
