// The adversarial losses. D's output x is one number per sample (or pack of samples), [N, 1]: the logit before a
// sigmoid, a critic's score, or the energy of a discriminator that is an autoencoder.
#pragma once

#include <optional>

#include "engine/graph/graph.h"
#include "models/config.h"

namespace forger {

enum class AdversarialLoss {
  non_saturating,  // D: cross-entropy, G: -log D(G(z)): Goodfellow et al. 2014 (arXiv:1406.2661), section 3
  minimax,         // D: cross-entropy, G: log(1 - D(G(z))): equation 1 there
  mse,             // squared error of sigmoid(x) against the label, for both
  lsgan,           // half the squared error of x itself against the label: Mao et al. 2017 (arXiv:1611.04076), equation 9
  hinge,           // D: max(0, 1 - x) real, max(0, 1 + x) fake; G: -x: Lim and Ye 2017 (arXiv:1705.02894)
  wgan,            // D: x fake - x real; G: -x: Arjovsky et al. 2017 (arXiv:1701.07875)
  relativistic,    // of pairs: D softplus(x fake - x real), G the reverse: Huang et al. 2024 (arXiv:2501.05441), R3GAN
  ebgan,           // energies: D x real + max(0, margin - x fake), G: x: Zhao et al. 2017 (arXiv:1609.03126)
  began,           // energies: D x real - k x fake, G: x: Berthelot et al. 2017 (arXiv:1703.10717)
};

/// Throws ConfigError for an unknown name.
AdversarialLoss parse_loss(const std::string& name);

bool has_labels(AdversarialLoss kind);  // compares with a label: smoothing and noise apply
bool is_paired(AdversarialLoss kind);   // one loss of pairs of a real and a fake sample
bool is_energy(AdversarialLoss kind);   // D is an autoencoder; real samples have the low values

/// D's two losses, each a scalar. `labels` [N, 1] are read by losses that have them. `margin` is ebgan's, `balance`
/// (a scalar) began's k.
Value real_loss(AdversarialLoss kind, Value real, Value labels);
Value fake_loss(AdversarialLoss kind, Value fake, Value labels, double margin = 0, Value balance = {});

/// D's loss of a paired kind.
Value paired_loss(AdversarialLoss kind, Value real, Value fake);

/// What G minimises. `real` is read by paired losses only.
Value generator_loss(AdversarialLoss kind, Value fake, Value real = {});

/// D(x) as it is shown, [N, 1]: sigmoid(x) where x is a logit, x itself where it is a score or an energy.
Value discriminator_output(AdversarialLoss kind, Value x);

/// Share of the samples that D tells right: by the sign of x (lsgan: by x > 1/2); where the loss has no threshold, the
/// share of pairs in which the real sample looks more real.
Value accuracy(AdversarialLoss kind, Value real, Value fake);

/// D's loss where it cannot tell real from fake, for the given "loss" and "d-update"; none if it is not one number.
struct Equilibrium {
  double value;
  std::string label;
};
std::optional<Equilibrium> equilibrium(const Config& config);

}  // namespace forger
