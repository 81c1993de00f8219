#include "training/train_step.h"

#include "kernels/threads/pool.h"
#include "training/tuning_file.h"

namespace forger {
namespace {

Program compile_step(const Recipe& recipe, const Config& config, const RealData& data, Backend& backend) {
  const Graph step = build_train_step(recipe, config, data);
  if (config.text("autotune") == "on") backend.target.tuning = tune(step, backend);
  return compile(step, backend.providers, backend.target);
}

}  // namespace

Config use_threads(Config config) {
  if (config.integer("threads") == 0) config.set("threads", OptionValue(int64_t{num_threads()}));
  set_num_threads(static_cast<int>(config.integer("threads")));
  return config;
}

BackendOptions backend_options(const Config& config) {
  return {config.text("device"), config.text("providers"), config.text("precision"), config.text("launches")};
}

TrainStep::TrainStep(const Recipe& recipe, const Config& config, Backend backend, RealData data)
    : backend_(std::move(backend)),
      data_(std::move(data)),
      variables_(*backend_.device),
      session_(compile_step(recipe, config, data_, backend_), variables_, static_cast<uint64_t>(config.integer("seed"))) {
  session_.bind("data", data_.bytes.data());
  if (recipe.is_classifier()) session_.bind("labels", data_.labels.data());
  if (data_.classes > 0) session_.bind("labels", data_.label_bytes.data());
  const auto seed = static_cast<uint64_t>(config.integer("seed"));
  variables_.write("rng/seed", std::as_bytes(std::span(&seed, 1)));
}

}  // namespace forger
