// A recipe is a pair of networks, the data they compete over, and every hyperparameter with its default.
#pragma once

#include <functional>

#include "models/config.h"
#include "models/layers.h"

namespace forger {

/// What a sample is, which decides how it is drawn.
enum class SampleKind { images, points, pattern };

/// The recipe of the network that evaluates images.
inline constexpr const char* kClassifierRecipe = "mnist-classifier";

/// z [N, Z] (conditional: and classes) -> samples [N, sample...].
using Generator = std::function<Value(Network&, Value z, const Shape& sample, const ForwardPass&)>;
/// samples (packed, conditional: with class channels) -> logits, scores or energies [N, 1]; a classifier's [N, classes].
using Discriminator = std::function<Value(Network&, Value samples, const ForwardPass&)>;

struct Recipe {
  std::string name;
  std::string summary;  // one line for `forger list`
  SampleKind kind;
  Config defaults;
  Generator generator;  // null: the recipe is a classifier, trained alone on labels
  Discriminator discriminator;

  bool is_classifier() const { return generator == nullptr; }
};

/// All recipes, in the order of `forger list`.
std::span<const Recipe> all_recipes();
/// Throws ConfigError that suggests the nearest name.
const Recipe& find_recipe(const std::string& name);

/// A recipe outside that list: two networks of the caller's and the options that all recipes share, with their defaults
/// except for the `options` given by name and text ({{"batch", "256"}}). Throws ConfigError for an unknown or bad option.
Recipe own_recipe(std::string name, SampleKind kind, Generator generator, Discriminator discriminator,
                  const std::vector<std::pair<std::string, std::string>>& options = {});

}  // namespace forger
