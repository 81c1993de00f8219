// Unrolled GANs: G's loss looks at a D that has learned k steps further, and G's gradient runs through those steps.
// Metz et al. 2017 (arXiv:1611.02163).
#pragma once

#include <functional>

#include "models/optimizer.h"

namespace forger {

/// D's parameters after k more updates, as a copy of the network: D itself stays as it is. Each update is written in
/// ordinary ops (the optimizers' own nodes are barriers to gradients) from D's current moments, so that gradients of
/// what the copy computes run through the updates into whatever `loss` reads, such as the fakes.
///
/// The updates are those of config's optimizer, but Adam and RMSProp have epsilon^2 inside the root beside the usual
/// epsilon outside: the slope of a root at 0 is infinite.
class Unrolling {
 public:
  /// `updates`: how often the optimizer updates D in a step.
  Unrolling(const Network& discriminator, const Optimizer& optimizer, const Config& config, int64_t updates);

  /// loss: D's loss on the given copy, a scalar.
  Network look_ahead(int64_t steps, const std::function<Value(Network&)>& loss);

 private:
  using Values = std::vector<Value>;
  Value rate_of(int64_t step);  // Adam's learning rate with its corrections

  const Network& discriminator_;
  const Optimizer& optimizer_;
  std::string kind_;
  double beta1_, beta2_, epsilon_, momentum_, rho_;
  Value beta1_power_, beta2_power_;  // Adam: beta^t after this step's updates
};

}  // namespace forger
