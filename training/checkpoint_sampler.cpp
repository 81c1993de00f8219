#include "training/checkpoint_sampler.h"

#include <algorithm>

#include "models/conditioning.h"
#include "models/gan_networks.h"

namespace forger {
namespace {

constexpr int64_t kChunk = 1000;  // samples between two reports of progress

}  // namespace

const Recipe& gan_of(const Checkpoint& checkpoint) {
  const Recipe& recipe = find_recipe(checkpoint.config.recipe());
  if (recipe.is_classifier()) {
    fail<ConfigError>("{}: is of {}, which makes no samples; name a GAN's run", checkpoint.path, recipe.name);
  }
  return recipe;
}

Shape sample_shape_of(const Checkpoint& checkpoint) {
  const Config& c = checkpoint.config;
  if (c.has("image-size")) return {c.integer("image-size"), c.integer("image-size"), c.integer("channels")};
  // The generator's last bias has one number per coordinate.
  const std::string prefix = sampling_network(c) + "/dense_";
  for (int layer = 9; layer > 0; --layer) {
    const auto it = checkpoint.tensors.find(prefix + std::to_string(layer) + "/bias");
    if (it != checkpoint.tensors.end()) return it->second.first.shape;
  }
  fail<DataError>("{}: has no tensor '{}1/bias'", checkpoint.path, prefix);
}

CheckpointSampler::CheckpointSampler(const Checkpoint& checkpoint, const std::string& device)
    : checkpoint_(checkpoint),
      recipe_(gan_of(checkpoint)),
      shape_(sample_shape_of(checkpoint)),
      backend_(open_backend({.device = device})),
      variables_(*backend_.device),
      sampler_(recipe_, checkpoint.config, shape_, backend_, variables_) {
  checkpoint.restore(variables_);
}

std::vector<float> CheckpointSampler::operator()(int64_t count, uint64_t seed, const std::string& stream,
                                                 const std::vector<int64_t>& labels,
                                                 const std::function<void(int64_t)>& progress) {
  const std::vector<float> z = latent_noise(checkpoint_.config, count, seed, stream);
  const int64_t z_dim = checkpoint_.config.integer("z-dim");
  std::vector<float> samples;
  samples.reserve(static_cast<size_t>(count * num_elements(shape_)));
  for (int64_t begin = 0; begin < count; begin += kChunk) {
    const int64_t end = std::min(count, begin + kChunk);
    std::vector<int64_t> classes;
    for (int64_t i = begin; i < end && classes_of(checkpoint_.config) > 0; ++i) {
      classes.push_back(labels.empty() ? i % classes_of(checkpoint_.config) : labels[static_cast<size_t>(i)]);
    }
    const auto chunk = sampler_({z.begin() + begin * z_dim, z.begin() + end * z_dim}, classes);
    samples.insert(samples.end(), chunk.begin(), chunk.end());
    if (progress) progress(end);
  }
  return samples;
}

}  // namespace forger
