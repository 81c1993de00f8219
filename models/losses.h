// The adversarial losses. Logits are D's output before the sigmoid, [N, 1].
#pragma once

#include "engine/graph/graph.h"

namespace forger {

enum class AdversarialLoss {
  non_saturating,  // G minimises -log D(G(z)): Goodfellow et al. 2014, section 3, the practical form
  minimax,         // G minimises log(1 - D(G(z))): equation 1
  mse,             // squared error of D's sigmoid output against the label, for both
};

/// Throws ConfigError for an unknown name.
AdversarialLoss parse_loss(const std::string& name);

/// D's loss against labels of the logits' shape: binary cross-entropy, or the squared error of sigmoid(logits).
Value discriminator_loss(AdversarialLoss kind, Value logits, Value labels);

/// What G minimises, given D's logits on fakes.
Value generator_loss(AdversarialLoss kind, Value fake_logits);

/// Share of logits on the right side of zero: positive for real, not positive for fake.
Value accuracy(Value logits, bool real);

}  // namespace forger
