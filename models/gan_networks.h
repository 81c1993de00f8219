// A recipe's two networks with what the config puts in front of them: classes behind the noise, packs, class channels.
#pragma once

#include "models/recipe.h"

namespace forger {

class GanNetworks {
 public:
  /// sample: the shape of one sample.
  GanNetworks(const Recipe& recipe, const Config& config, Shape sample);

  Network generator(Graph& graph, const std::string& name = "G") const;
  Network discriminator(Graph& graph) const;

  /// z [N, Z] -> samples [N, sample...]; the pass's labels are one-hot [N, classes].
  Value generate(Network& g, Value z, const ForwardPass& pass) const;
  /// samples [N, sample...] -> D's outputs [N / pack, 1].
  Value discriminate(Network& d, Value samples, const ForwardPass& pass) const;

  /// Classes of the samples; 0 if the GAN is not conditional.
  int64_t classes() const { return classes_; }
  int64_t pack_size() const { return pack_; }
  const Shape& sample() const { return sample_; }
  int64_t z_dim() const { return z_dim_; }

 private:
  const Recipe& recipe_;
  Shape sample_;
  NetworkOptions g_options_, d_options_;
  int64_t z_dim_, classes_, pack_;
};

/// The network that samples are made with: "G_ema", the average of G's weights, with the option "ema"; else "G".
std::string sampling_network(const Config& config);

/// Classes that G is conditioned on; 0: none.
int64_t classes_of(const Config& config);

}  // namespace forger
