// Whether D knows the images it was trained on better than others of the same kind: what --holdout leaves out.
#pragma once

#include <memory>
#include <optional>

#include "engine/runtime/backend.h"
#include "engine/runtime/session.h"
#include "models/gan_step.h"

namespace forger {

class HoldoutGap {
 public:
  /// All but `config` outlive this. Without "holdout", and where D judges no single sample (packs, classes), there is nothing
  /// to compare.
  HoldoutGap(const Recipe& recipe, const Config& config, const RealData& data, const Backend& backend, VariableStore& variables);

  struct Means {
    double train, held_out;  // D's output in inference mode: a probability, or a score
  };
  std::optional<Means> operator()();

 private:
  double mean_output(const std::vector<float>& samples);

  std::vector<float> train_, held_out_;  // as many of both, [count, H, W, C]
  std::unique_ptr<Session> session_;     // null: nothing to compare
};

}  // namespace forger
