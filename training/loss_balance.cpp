#include "training/loss_balance.h"

#include <cmath>

namespace forger {

LossBalance loss_balance(const Config& config) {
  const std::string& loss = config.text("loss");
  const bool sum = config.text("d-update") == "sum";  // of the losses on real and on fake; else their mean is logged
  const double log2 = std::log(2.0);
  if (loss == "mse") return {sum ? 0.5 : 0.25, 0.25, sum ? "D = 0.5: 2 x MSE 0.25" : "D = 0.5: MSE 0.25"};
  if (loss == "hinge") return {sum ? 2.0 : 1.0, {}, sum ? "2" : "1"};
  if (loss == "non-saturating" || loss == "minimax") {
    return {sum ? 2 * log2 : log2, loss == "minimax" ? -log2 : log2, sum ? "log 4" : "log 2"};
  }
  return {};
}

}  // namespace forger
