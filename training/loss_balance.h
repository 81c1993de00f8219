// Where the losses of a run end when neither network wins.
#pragma once

#include <optional>

#include "models/config.h"

namespace forger {

/// The losses as they are logged, when D cannot tell real from fake (D = 1/2): Goodfellow et al. 2014, theorem 1. None for
/// a loss that has no such value.
struct LossBalance {
  std::optional<double> d_loss, g_loss;
  std::string d_label = {};  // of D's line in a plot: "log 4"
};

/// Reads "loss" and "d-update".
LossBalance loss_balance(const Config& config);

/// Whether D's output is a probability, so that 1/2 means that it cannot tell; else it is a score or an energy.
bool shows_probabilities(const Config& config);

}  // namespace forger
