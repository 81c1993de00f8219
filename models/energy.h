// Discriminators that are autoencoders: the energy of a sample is how badly it is reconstructed, and what EBGAN and
// BEGAN add to their losses.
#pragma once

#include "models/layers.h"

namespace forger {

/// images [N, H, W, C] -> energies [N, 1], fully connected: 512, 256, a code of `code` numbers, 256, 512, ReLU. The
/// energy, of pixels in [0, 1], is the mean absolute error (BEGAN, L1) or the mean squared error (EBGAN). The code is the
/// network's tap "code".
Value autoencoder_discriminator(Network& network, Value images, int64_t code, bool squared, const ForwardPass& pass);

/// EBGAN's pulling-away term, a scalar: the mean over pairs i != j of the squared cosine of codes [N, F]. Zhao et al. 2017
/// (arXiv:1609.03126), section 2.4.
Value pulling_away(Value codes);

/// BEGAN's balance k in [0, 1], the variable "began/k": k += lambda * (gamma * L(x) - L(G(z))) after a step. Berthelot
/// et al. 2017 (arXiv:1703.10717), section 3.4.
class BeganBalance {
 public:
  BeganBalance(Graph& graph, double gamma, double lambda);

  Value k() const { return k_; }
  /// real, fake: mean energies, scalars. Returns the measure of convergence L(x) + |gamma L(x) - L(G(z))|.
  Value update(Value real, Value fake);

 private:
  double gamma_, lambda_;
  Value k_;
};

}  // namespace forger
