// Samples from a checkpoint's generator.
#pragma once

#include "training/checkpoint.h"
#include "training/samples.h"

namespace forger {

/// The recipe of a checkpoint. Throws ConfigError if it is no GAN's but a classifier's.
const Recipe& gan_of(const Checkpoint& checkpoint);

/// The shape of one sample of a checkpoint's generator: [H,W,C] of images, else [D]. Throws DataError.
Shape sample_shape_of(const Checkpoint& checkpoint);

/// A generator that is ready to sample; the checkpoint must outlive it.
class CheckpointSampler {
 public:
  /// device: "auto", "cpu", "cuda:0", ... Throws ConfigError if the checkpoint is a classifier's.
  CheckpointSampler(const Checkpoint& checkpoint, const std::string& device);

  const Recipe& recipe() const { return recipe_; }
  const Shape& shape() const { return shape_; }
  /// [count, shape...]: a function of the weights and (count, seed, stream) alone. `progress` gets how many are done.
  /// A conditional generator makes `labels`, or all classes in turn if none are given.
  std::vector<float> operator()(int64_t count, uint64_t seed, const std::string& stream, const std::vector<int64_t>& labels = {},
                                const std::function<void(int64_t)>& progress = {});

 private:
  const Checkpoint& checkpoint_;
  const Recipe& recipe_;
  Shape shape_;
  Backend backend_;
  VariableStore variables_;
  Sampler sampler_;
};

}  // namespace forger
