// What D says about a line or a plane, beside the samples: the picture of seed 004 as data for the report.
#pragma once

#include <string>
#include <vector>

#include "engine/runtime/backend.h"
#include "engine/runtime/session.h"
#include "models/gan_step.h"

namespace forger {

/// JSON {"range": [[low, high], ..], "x": [[coordinates of an axis], ..], "d": [D at every grid point, the first axis
/// fastest], "real": [[..], ..], "fake": ..} for samples of 1 or 2 numbers, reals and fakes [n, dims]; "" for others. The
/// grid spans the real samples and most of the fake ones. Runs an inference-mode D on the store's weights.
std::string critic_view_json(const Recipe& recipe, const Config& config, const Shape& sample, const Backend& backend,
                             VariableStore& variables, const std::vector<float>& reals, const std::vector<float>& fakes);

}  // namespace forger
