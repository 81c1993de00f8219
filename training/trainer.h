// Runs a recipe: steps, log lines, pictures, checkpoints.
#pragma once

#include <memory>
#include <optional>

#include "engine/runtime/session.h"
#include "models/gan_step.h"
#include "training/checkpoint.h"
#include "training/console.h"
#include "training/metrics.h"
#include "training/periodic_evaluation.h"
#include "training/run_directory.h"
#include "training/samples.h"

namespace forger {

/// What is needed before anything is written: data loaded, program compiled, variables in place. Building it is where
/// wrong input is found out.
class TrainingRun {
 public:
  /// A new run, or the continuation of `resume`. Throws ConfigError, DataError, ShapeError.
  TrainingRun(Config config, const Checkpoint* resume);

  const Config& config() const { return config_; }
  const Recipe& recipe() const { return recipe_; }
  const RealData& data() const { return data_; }
  const Backend& backend() const { return backend_; }
  Session& session() { return *session_; }
  VariableStore& variables() { return variables_; }
  PeriodicEvaluation* evaluation() { return evaluation_.get(); }  // null without "eval-every"
  uint32_t data_crc() const { return data_crc_; }
  int64_t step() const { return variables_.read_scalar<int64_t>("rng/step"); }  // steps done so far

 private:
  Config config_;
  const Recipe& recipe_;
  Backend backend_;
  RealData data_;
  uint32_t data_crc_;
  VariableStore variables_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<PeriodicEvaluation> evaluation_;
};

/// Trains until config's "steps", writing into `directory`. Returns false if it was interrupted (and saved).
/// Throws DivergedError when a loss is not finite: it names the step and the first node that was not finite.
bool train(TrainingRun& run, const RunDirectory& directory);

}  // namespace forger
