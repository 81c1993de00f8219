// What `forger eval` measures, on fewer samples and while a run goes on: --eval-every.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/runtime/backend.h"
#include "models/gan_step.h"
#include "training/monitor.h"
#include "training/samples.h"

namespace forger {

class PeriodicEvaluation {
 public:
  /// All outlive it. Loads and classifies the real images that samples are compared with, which takes seconds. Throws ConfigError
  /// or DataError where images are none that the classifier in this binary knows.
  PeriodicEvaluation(const Recipe& recipe, const Config& config, const RealData& data, const Backend& backend,
                     VariableStore& variables);
  ~PeriodicEvaluation();

  struct Result {
    std::vector<std::pair<std::string, double>> values;       // by the names of forger eval --format json, behind "eval/"
    std::vector<double> class_shares = {}, real_shares = {};  // of images in ten classes
  };
  Result operator()();

  /// What the monitor looks at.
  static EvaluationRecord record(int64_t step, const Result& result);

 private:
  struct Images;
  Result digits(const std::vector<float>& samples);
  Result stacks(const std::vector<float>& samples);
  Result points(const std::vector<float>& samples) const;

  const Config& config_;
  const Shape sample_;
  std::unique_ptr<Images> images_;  // null: samples are points
  std::vector<float> z_;            // the same every time
  Sampler sampler_;
};

}  // namespace forger
