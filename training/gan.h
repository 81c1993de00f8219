// A GAN as an object: the shortest way from two networks and an array to samples.
#pragma once

#include "training/samples.h"
#include "training/train_step.h"

namespace forger {

/// Trains a recipe on data in memory and samples from it. Nothing is printed and no file is written. One seed, one
/// result: the same recipe, data and options give the same bits on one machine.
///
///     Gan gan(own_recipe("rings", SampleKind::points, generator, discriminator, {{"batch", "256"}}), data_of(points, {2}));
///     gan.train(5000);
///     std::vector<float> samples = gan.sample(1000);  // [1000, 2]
class Gan {
 public:
  /// The options are the recipe's defaults. Throws ConfigError, ShapeError, DeviceError.
  Gan(Recipe recipe, RealData data);

  /// Trains for `steps` more steps. Throws DivergedError where a loss is not finite afterwards.
  void train(int64_t steps);

  /// A scalar of the last step, by its name in models/gan_step.h: "d_loss", "g_loss", "d_accuracy", "d_real", "d_fake".
  double scalar(const std::string& name) const { return step_.session().scalar(name); }
  double d_loss() const { return scalar("d_loss"); }
  double g_loss() const { return scalar("g_loss"); }

  /// [count, sample...], from latent noise that is a function of the seed alone. A conditional generator makes `labels`,
  /// one per sample, or all classes in turn.
  std::vector<float> sample(int64_t count, uint64_t seed = 0, const std::vector<int64_t>& labels = {});

  const Recipe& recipe() const { return recipe_; }
  const Config& config() const { return recipe_.defaults; }
  int64_t steps_done() const { return step_.steps_done(); }
  /// Weights, optimizer state and counters, by name.
  VariableStore& variables() { return step_.variables(); }

 private:
  Recipe recipe_;
  TrainStep step_;
  Sampler sampler_;
};

}  // namespace forger
