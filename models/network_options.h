// What a config decides about the layers of one network; the network carries it, its layers read it.
#pragma once

#include "models/config.h"

namespace forger {

struct NetworkOptions {
  enum class Norm { batch, layer, none };
  Norm norm = Norm::batch;        // of the layers that say Layers::norm
  double dropout = 0;             // rate of the layers that say Layers::dropout
  bool spectral_norm = false;     // every dense and convolution kernel is divided by its largest singular value
  bool minibatch_stddev = false;  // Layers::minibatch_stddev is there
  bool projection = false;        // Layers::logits adds the class projection
  bool collapse = false;          // a convolution behind a transposed one becomes one with it (models/collapse.h)
  int64_t width = 64;             // filters of a network that leaves them open
};

/// Of G: "spectral-norm", "collapse", "width".
NetworkOptions generator_options(const Config& config);
/// Of D: "d-norm", "d-dropout", "spectral-norm", "minibatch-stddev", "conditional", "width". Options that a recipe has not are off.
NetworkOptions discriminator_options(const Config& config);

}  // namespace forger
