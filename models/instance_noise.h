// Instance noise: D sees real and fake samples through the same noise, which fades. Soenderby et al. 2017
// (arXiv:1610.04490), Arjovsky and Bottou 2017 (arXiv:1701.04862).
#pragma once

#include "engine/graph/graph.h"
#include "models/config.h"

namespace forger {

class InstanceNoise {
 public:
  /// Of config's "instance-noise", the first standard deviation, which falls in a straight line to 0 within
  /// "instance-noise-steps" steps. Off at 0.
  InstanceNoise(Graph& graph, const Config& config, Value seed, Value step);

  /// samples + s * N(0, 1).
  Value apply(Value samples) const;
  /// Declares s after the step. The variable is "instance_noise".
  void commit();

 private:
  Graph& graph_;
  double decrease_;
  Value seed_, step_, stddev_;
};

}  // namespace forger
