// What D says about a line or a plane, beside the samples: the picture of seed 004 as data for the report.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/runtime/backend.h"
#include "engine/runtime/session.h"
#include "models/gan_step.h"

namespace forger {

class CriticView {
 public:
  /// Of samples of 1 or 2 numbers, reals [n, dims]; all outlive the view. For other samples, and where D judges no single
  /// sample, there is nothing to see.
  CriticView(const Recipe& recipe, const Config& config, const Shape& sample, const Backend& backend, VariableStore& variables,
             const std::vector<float>& reals);

  /// JSON {"range": [[low, high], ..], "x": [[coordinates of an axis], ..], "d": [D at every grid point, the first axis
  /// fastest], "real": [[..], ..], "fake": ..}; "" where there is nothing to see. The grid spans the real samples and most
  /// of the fake ones, [n, dims]. Runs an inference-mode D on the store's weights as they are.
  std::string json(const std::vector<float>& fakes);

 private:
  const std::vector<float>& reals_;
  int64_t dims_, per_axis_;
  std::unique_ptr<Session> session_;  // null: nothing to see
};

}  // namespace forger
