// How long the gradients are, without a launch more in the step: the optimizer's state has averaged them.
#pragma once

#include "engine/runtime/variable_store.h"
#include "models/config.h"

namespace forger {

/// The Euclidean norm, over all of a network's parameters, of its averaged gradient: Adam's first moment without its bias,
/// SGD's velocity over its learning rate, the root of RMSProp's mean square. network: "G" or "D". NaN if there is none
/// (before the first step).
double gradient_norm(const VariableStore& variables, const Config& config, const std::string& network);

}  // namespace forger
