// A recipe is a pair of networks, the data they compete over, and every hyperparameter with its default.
#pragma once

#include "models/config.h"
#include "models/layers.h"

namespace forger {

/// What a sample is, which decides how it is drawn.
enum class SampleKind { images, points, pattern };

struct Recipe {
  std::string name;
  std::string summary;  // one line for `forger list`
  SampleKind kind;
  Config defaults;
  /// z [N, Z] (conditional: and classes) -> samples [N, sample...].
  Value (*generator)(Network&, Value z, const Shape& sample, const ForwardPass&);
  /// samples (packed, conditional: with class channels) -> logits, scores or energies [N, 1].
  Value (*discriminator)(Network&, Value samples, const ForwardPass&);
};

/// All recipes, in the order of `forger list`.
std::span<const Recipe> all_recipes();
/// Throws ConfigError that suggests the nearest name.
const Recipe& find_recipe(const std::string& name);

}  // namespace forger
