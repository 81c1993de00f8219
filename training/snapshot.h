// A copy of all variables.
#pragma once

#include <map>

#include "engine/runtime/variable_store.h"
#include "models/config.h"

namespace forger {

/// From which a step that went wrong can be run again, exactly as it was, and which tells what a step has changed.
class Snapshot {
 public:
  void take(const VariableStore& variables);
  void restore(VariableStore& variables) const;

  /// What has changed since in the parameters of a network ("G" or "D"), as a share of them: |now - then| / |then|, Euclidean
  /// norms over the first 65,536 numbers of every parameter, so that reading them back from a GPU costs little. NaN where all
  /// were 0.
  double update_ratio(const VariableStore& now, const Config& config, const std::string& network) const;

 private:
  std::map<std::string, Buffer> contents_;
};

}  // namespace forger
