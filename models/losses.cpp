#include "models/losses.h"

#include <cmath>

#include "engine/ops/ops.h"

namespace forger {
namespace {

using Loss = AdversarialLoss;

Value against_labels(Loss kind, Value x, Value labels) {
  if (kind == Loss::mse) return mse(sigmoid(x), labels);
  if (kind == Loss::lsgan) return scale(mse(x, labels), 0.5);
  return bce_with_logits(x, labels);
}

/// mean(max(0, a + factor * x))
Value mean_hinge(Value x, double a, double factor) {
  return mean_all(relu(shift(scale(x, factor), a)));
}

Value share_above(Value x, double threshold) {
  return mean_all(unary(ScalarOp::heaviside, threshold == 0 ? x : shift(x, -threshold)));
}

}  // namespace

AdversarialLoss parse_loss(const std::string& name) {
  if (name == "non-saturating") return Loss::non_saturating;
  if (name == "minimax") return Loss::minimax;
  if (name == "mse") return Loss::mse;
  if (name == "lsgan") return Loss::lsgan;
  if (name == "hinge") return Loss::hinge;
  if (name == "wgan") return Loss::wgan;
  if (name == "relativistic") return Loss::relativistic;
  if (name == "ebgan") return Loss::ebgan;
  if (name == "began") return Loss::began;
  fail<ConfigError>("--loss: there is no '{}'", name);
}

bool has_labels(AdversarialLoss kind) {
  return kind == Loss::non_saturating || kind == Loss::minimax || kind == Loss::mse || kind == Loss::lsgan;
}
bool is_paired(AdversarialLoss kind) {
  return kind == Loss::relativistic;
}
bool is_energy(AdversarialLoss kind) {
  return kind == Loss::ebgan || kind == Loss::began;
}

Value real_loss(AdversarialLoss kind, Value real, Value labels) {
  if (has_labels(kind)) return against_labels(kind, real, labels);
  if (kind == Loss::hinge) return mean_hinge(real, 1, -1);
  return is_energy(kind) ? mean_all(real) : neg(mean_all(real));
}

Value fake_loss(AdversarialLoss kind, Value fake, Value labels, double margin, Value balance) {
  if (has_labels(kind)) return against_labels(kind, fake, labels);
  if (kind == Loss::hinge) return mean_hinge(fake, 1, 1);
  if (kind == Loss::ebgan) return mean_hinge(fake, margin, -1);
  if (kind == Loss::began) return neg(mul(balance, mean_all(fake)));
  return mean_all(fake);
}

Value paired_loss(AdversarialLoss, Value real, Value fake) {
  return mean_all(softplus(sub(fake, real)));
}

Value generator_loss(AdversarialLoss kind, Value fake, Value real) {
  Graph& graph = fake.graph();
  if (is_paired(kind)) return paired_loss(kind, fake, real);
  if (is_energy(kind)) return mean_all(fake);
  // log(1 - sigmoid(x)) = -softplus(x), the negative of the cross-entropy against label 0.
  if (kind == Loss::minimax) return neg(bce_with_logits(fake, fill(graph, 0.0, fake.shape())));
  if (has_labels(kind)) return against_labels(kind, fake, fill(graph, 1.0, fake.shape()));
  return neg(mean_all(fake));
}

Value discriminator_output(AdversarialLoss kind, Value x) {
  return has_labels(kind) && kind != Loss::lsgan ? sigmoid(x) : x;
}

Value accuracy(AdversarialLoss kind, Value real, Value fake) {
  if (has_labels(kind) || kind == Loss::hinge) {
    const double threshold = kind == Loss::lsgan ? 0.5 : 0.0;
    return scale(add(share_above(real, threshold), shift(neg(share_above(fake, threshold)), 1.0)), 0.5);
  }
  return is_energy(kind) ? share_above(sub(fake, real), 0) : share_above(sub(real, fake), 0);
}

std::optional<Equilibrium> equilibrium(const Config& config) {
  const bool sum = config.text("d-update") == "sum";  // otherwise the mean of the two losses is shown
  const auto of_sum = [&](double value, const char* label, const char* half) {
    return Equilibrium{sum ? value : value / 2, sum ? label : half};
  };
  switch (parse_loss(config.text("loss"))) {
    case Loss::non_saturating:
    case Loss::minimax:
      return of_sum(2 * std::log(2.0), "log 4", "log 2");
    case Loss::mse:
      return of_sum(0.5, "D = 0.5: MSE 0.5", "D = 0.5: MSE 0.25");
    case Loss::lsgan:
      return of_sum(0.25, "D = 0.5: 0.25", "D = 0.5: 0.125");
    case Loss::hinge:
      return of_sum(2, "D = 0: 2", "D = 0: 1");
    case Loss::wgan:
      return Equilibrium{0, "no distance"};
    case Loss::relativistic:
      return Equilibrium{std::log(2.0), "log 2"};
    case Loss::ebgan:
    case Loss::began:
      break;
  }
  return {};
}

}  // namespace forger
