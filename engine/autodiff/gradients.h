// Reverse-mode differentiation by adding nodes to the graph.
#pragma once

#include "engine/graph/graph.h"

namespace forger {

/// d(sum_i <seeds[i], results[i]>) / d(wrt[j]) for each j: a value of wrt[j]'s type, or none where the results do not
/// depend on wrt[j]. Only nodes on a path from wrt to results get gradients. The new nodes are ordinary ones, so the
/// function can be applied to its own output (second derivatives). Ops without a gradient rule are barriers.
std::vector<Value> gradients(std::span<const Value> results, std::span<const Value> seeds, std::span<const Value> wrt);

/// The same for one scalar loss with seed 1. Throws ShapeError if the loss is not a scalar or does not depend on
/// one of `wrt`.
std::vector<Value> gradients(Value loss, std::span<const Value> wrt);

}  // namespace forger
