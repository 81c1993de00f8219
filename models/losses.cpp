#include "models/losses.h"

#include "engine/ops/ops.h"

namespace forger {

AdversarialLoss parse_loss(const std::string& name) {
  if (name == "non-saturating") return AdversarialLoss::non_saturating;
  if (name == "minimax") return AdversarialLoss::minimax;
  if (name == "mse") return AdversarialLoss::mse;
  fail<ConfigError>("--loss: '{}' is none of: non-saturating, minimax, mse", name);
}

Value discriminator_loss(AdversarialLoss kind, Value logits, Value labels) {
  return kind == AdversarialLoss::mse ? mse(sigmoid(logits), labels) : bce_with_logits(logits, labels);
}

Value generator_loss(AdversarialLoss kind, Value fake_logits) {
  Graph& graph = fake_logits.graph();
  if (kind == AdversarialLoss::minimax) {
    // log(1 - sigmoid(x)) = -softplus(x), the negative of the cross-entropy against label 0.
    return neg(bce_with_logits(fake_logits, fill(graph, 0.0, fake_logits.shape())));
  }
  return discriminator_loss(kind, fake_logits, fill(graph, 1.0, fake_logits.shape()));
}

Value accuracy(Value logits, bool real) {
  const Value positive = mean_all(unary(ScalarOp::heaviside, logits));
  return real ? positive : shift(neg(positive), 1.0);
}

}  // namespace forger
