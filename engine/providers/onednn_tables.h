// The two halves of the onednn provider's table.
#pragma once

#include <vector>

#include "engine/providers/provider.h"

namespace forger {

std::vector<Kernel> linear_kernels();  // convolution trio and matrix product
std::vector<Kernel> simd_kernels();    // all else

/// Why a kernel of this provider declines a node whose real numbers are not f32; nullopt if they are.
std::optional<std::string> needs_f32(const NodeView& node);

/// What an elementwise kernel's argument array holds.
inline constexpr size_t kMaxTapeOperands = 16;

}  // namespace forger
