// A recipe's training step on a device: what a run, a benchmark and a program of one's own train with.
#pragma once

#include "engine/runtime/backend.h"
#include "engine/runtime/session.h"
#include "models/gan_step.h"

namespace forger {

/// Resolves "threads" 0 to the number of CPU threads, and makes kernels use as many as the config says.
Config use_threads(Config config);

/// The options of a config that choose its backend.
BackendOptions backend_options(const Config& config);

/// One training step, compiled for the config's device, with its data bound and its variables initialised from "seed".
class TrainStep {
 public:
  /// The recipe and the config are read here only. Throws ConfigError, ShapeError.
  TrainStep(const Recipe& recipe, const Config& config, Backend backend, RealData data);

  const RealData& data() const { return data_; }
  const Backend& backend() const { return backend_; }
  Session& session() { return session_; }
  const Session& session() const { return session_; }
  VariableStore& variables() { return variables_; }
  int64_t steps_done() const { return variables_.read_scalar<int64_t>("rng/step"); }

 private:
  Backend backend_;
  RealData data_;
  VariableStore variables_;
  Session session_;
};

}  // namespace forger
