// Whole training steps: the fast provider in float against the reference in double.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "engine/runtime/session.h"
#include "models/gan_step.h"

using namespace forger;

namespace {

/// Runs `steps` steps and returns every real variable as doubles, and the losses.
struct StepRun {
  std::map<std::string, std::vector<double>> variables;
  double d_loss, g_loss;
};

StepRun run_steps(const Recipe& recipe, const Config& config, DType real, const std::string& providers, int steps) {
  const RealData data = load_real_data(config, real);
  VariableStore variables(host_device());
  const uint64_t seed = 5;
  Session session(compile(build_train_step(recipe, config, data, real), parse_providers(providers)), variables, seed);
  session.bind("data", data.bytes.data());
  variables.write("rng/seed", std::as_bytes(std::span(&seed, 1)));
  for (int i = 0; i < steps; ++i) session.run();
  StepRun run{{}, session.scalar("d_loss"), session.scalar("g_loss")};
  for (const auto& [name, entry] : variables.entries()) {
    if (!is_real(entry.type.dtype)) continue;
    auto& values = run.variables[name];
    values.resize(static_cast<size_t>(entry.type.size()));
    if (entry.type.dtype == DType::f64) {
      std::memcpy(values.data(), entry.buffer.data(), entry.type.bytes());
    } else {
      const auto* from = static_cast<const float*>(entry.buffer.data());
      values.assign(from, from + values.size());
    }
  }
  return run;
}

/// Norm of the difference over the norm of the expected values.
double relative_difference(const std::vector<double>& found, const std::vector<double>& expected) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    difference += (found[i] - expected[i]) * (found[i] - expected[i]);
    norm += expected[i] * expected[i];
  }
  return norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

Config small(const std::string& recipe, std::initializer_list<std::pair<const char*, const char*>> values) {
  Config config = find_recipe(recipe).defaults;
  if (config.has("data")) config.set("data", OptionValue(std::string(FORGER_SOURCE_DIR "/datasets/mnist")));
  for (const auto& [name, text] : values) config.set(name, std::string(text));
  return config;
}

/// After one step Adam's first moments are the gradients times 1 - beta1: one number per tensor, of every tensor.
void compare_gradients(const Config& config, double tolerance) {
  const Recipe& recipe = find_recipe(config.recipe());
  const StepRun fast = run_steps(recipe, config, DType::f32, "onednn,reference", 1);
  const StepRun exact = run_steps(recipe, config, DType::f64, "reference", 1);
  CHECK(fast.d_loss == doctest::Approx(exact.d_loss).epsilon(1e-4));
  CHECK(fast.g_loss == doctest::Approx(exact.g_loss).epsilon(1e-4));
  int compared = 0;
  for (const auto& [name, expected] : exact.variables) {
    if (name.find("/m/") == std::string::npos) continue;
    // A bias in front of batch norm moves nothing: its gradient is zero but for rounding.
    double largest = 0;
    for (double v : expected) largest = std::max(largest, std::abs(v));
    if (largest < 1e-9) continue;
    CAPTURE(name);
    CHECK(relative_difference(fast.variables.at(name), expected) < tolerance);
    ++compared;
  }
  CHECK(compared > 6);
}

}  // namespace

TEST_SUITE("slow") {
  TEST_CASE("step: dcgan's gradients on the fast provider agree with the reference in double, tensor by tensor") {
    for (const char* fakes : {"predict", "shared"}) {
      CAPTURE(fakes);
      compare_gradients(small("dcgan", {{"batch", "3"}, {"fakes", fakes}}), 2e-3);
    }
  }
}

TEST_CASE("step: the small recipes' gradients agree with the reference in double") {
  compare_gradients(small("mlp", {{"batch", "8"}}), 1e-3);
  compare_gradients(small("gaussians4", {{"batch", "16"}}), 1e-3);
  compare_gradients(small("normal1d", {{"batch", "16"}}), 1e-3);
}
