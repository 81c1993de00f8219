#include "training/loss_balance.h"

#include <cmath>

#include "models/losses.h"

namespace forger {

LossBalance loss_balance(const Config& config) {
  LossBalance balance;
  if (const auto d = equilibrium(config)) {
    balance.d_loss = d->value;
    balance.d_label = d->label;
  }
  const std::string& loss = config.text("loss");
  if (loss == "mse") balance.g_loss = 0.25;
  if (loss == "non-saturating") balance.g_loss = std::log(2.0);
  if (loss == "minimax") balance.g_loss = -std::log(2.0);
  return balance;
}

bool shows_probabilities(const Config& config) {
  const std::string& loss = config.text("loss");
  return loss == "non-saturating" || loss == "minimax" || loss == "mse";
}

}  // namespace forger
