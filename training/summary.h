// The parameter table of a recipe, in Keras's form.
#pragma once

#include "models/recipe.h"

namespace forger {

/// Both networks, layer by layer: name and type, output shape, parameters; then the totals.
std::string summary_table(const Recipe& recipe, const Config& config, const Shape& sample);

}  // namespace forger
