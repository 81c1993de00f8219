// Runs a recipe: steps, log lines, pictures, checkpoints.
#pragma once

#include <memory>
#include <optional>

#include "training/checkpoint.h"
#include "training/console.h"
#include "training/metrics.h"
#include "training/periodic_evaluation.h"
#include "training/run_directory.h"
#include "training/samples.h"
#include "training/train_step.h"

namespace forger {

/// What is needed before anything is written: data loaded, program compiled, variables in place. Building it is where
/// wrong input is found out.
class TrainingRun {
 public:
  /// A new run, or the continuation of `resume`. Throws ConfigError, DataError, ShapeError.
  TrainingRun(Config config, const Checkpoint* resume);

  const Config& config() const { return config_; }
  const Recipe& recipe() const { return recipe_; }
  const RealData& data() const { return step_.data(); }
  const Backend& backend() const { return step_.backend(); }
  Session& session() { return step_.session(); }
  VariableStore& variables() { return step_.variables(); }
  PeriodicEvaluation* evaluation() { return evaluation_.get(); }  // null without "eval-every"
  uint32_t data_crc() const { return data_crc_; }
  int64_t step() const { return step_.steps_done(); }

 private:
  Config config_;
  const Recipe& recipe_;
  TrainStep step_;
  uint32_t data_crc_;
  std::unique_ptr<PeriodicEvaluation> evaluation_;
};

/// Trains until config's "steps", writing into `directory`. Returns false if it was interrupted (and saved).
/// Throws DivergedError when a loss is not finite: it names the step and the first node that was not finite.
bool train(TrainingRun& run, const RunDirectory& directory);

}  // namespace forger
