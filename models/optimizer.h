// Optimizers: one update of all parameters of a network.
#pragma once

#include <memory>

#include "models/config.h"
#include "models/network.h"

namespace forger {

/// Holds the optimizer's state for one network: step count, moments, and the learning rate, all variables of the graph
/// (on a GPU a replayed graph would freeze constants).
class Optimizer {
 public:
  /// Reads "optimizer", "<side>-lr", "beta1", "beta2", "epsilon", "momentum", "rho" from the config. side: "g" or "d".
  Optimizer(Network& network, const Config& config, const std::string& side);

  /// Differentiates `loss` with respect to the network's current parameters, updates them, and makes their names stand
  /// for the updated values.
  void minimize(Value loss);

  /// After `minimize`: the learning rate, and a moment ("m", "v", "velocity", "mean_square") of a parameter.
  Value learning_rate() const { return state_.get("learning_rate"); }
  Value slot(const std::string& kind, const std::string& parameter) const { return state_.get(kind + "/" + parameter); }

  /// Declares what its variables hold after the step.
  void commit() { state_.commit(); }

 private:
  std::vector<Value> slots(const std::string& kind);
  void set_slots(const std::string& kind, const std::vector<Value>& values);

  Network& network_;
  Value t_;        // adam: how many updates have been made
  Network state_;  // variables named "<network>/<optimizer>/..."
  std::string kind_;
  double learning_rate_, beta1_, beta2_, epsilon_, momentum_, rho_;
};

}  // namespace forger
