#include "training/gan.h"

#include <cmath>

namespace forger {
namespace {

Recipe with_threads(Recipe recipe) {
  if (recipe.is_classifier()) fail<ConfigError>("{}: has no generator, so that it is no GAN", recipe.name);
  recipe.defaults = use_threads(std::move(recipe.defaults));
  return recipe;
}

}  // namespace

Gan::Gan(Recipe recipe, RealData data)
    : recipe_(with_threads(std::move(recipe))),
      step_(recipe_, config(), open_backend(backend_options(config())), std::move(data)),
      sampler_(recipe_, config(), step_.data().sample_shape(), step_.backend(), step_.variables()) {}

void Gan::train(int64_t steps) {
  step_.session().run(steps);
  if (std::isfinite(d_loss()) && std::isfinite(g_loss())) return;
  fail<DivergedError>("step {}: D's loss is {:.4g}, G's {:.4g}; try again with lower g-lr and d-lr", steps_done(), d_loss(),
                      g_loss());
}

std::vector<float> Gan::sample(int64_t count, uint64_t seed, const std::vector<int64_t>& labels) {
  return sampler_(latent_noise(config(), count, seed, "sample/z"), labels);
}

}  // namespace forger
