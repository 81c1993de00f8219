// A recipe is a pair of networks, the data they compete over, and every hyperparameter with its default.
#pragma once

#include "models/config.h"
#include "models/layers.h"

namespace forger {

/// What a sample is, which decides how it is drawn.
enum class SampleKind { images, points, pattern };

/// The recipe of the network that evaluates images.
inline constexpr const char* kClassifierRecipe = "mnist-classifier";

struct Recipe {
  std::string name;
  std::string summary;  // one line for `forger list`
  SampleKind kind;
  Config defaults;
  /// z [N, Z] (conditional: and classes) -> samples [N, sample...]. Null: the recipe is a classifier, trained on labels and
  /// alone.
  Value (*generator)(Network&, Value z, const Shape& sample, const ForwardPass&);
  /// samples (packed, conditional: with class channels) -> logits, scores or energies [N, 1]; a classifier's [N, classes].
  Value (*discriminator)(Network&, Value samples, const ForwardPass&);

  bool is_classifier() const { return generator == nullptr; }
};

/// All recipes, in the order of `forger list`.
std::span<const Recipe> all_recipes();
/// Throws ConfigError that suggests the nearest name.
const Recipe& find_recipe(const std::string& name);

}  // namespace forger
