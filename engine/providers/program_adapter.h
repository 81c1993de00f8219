// How a provider without a kernel of its own for block_program runs one: node by node.
#pragma once

#include "engine/providers/provider.h"

namespace forger {

/// Runs the program's nodes in order, each with the first kernel of `providers` that supports it. Values that are no outputs
/// lie in the workspace.
PreparedKernel prepare_one_by_one(const NodeView& node, std::span<const Provider* const> providers);

}  // namespace forger
