// Whole training steps: the fast providers in float, on a CPU and on the emulated GPU, against the reference in double.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/runtime/backend.h"
#include "engine/runtime/session.h"
#include "models/gan_step.h"

using namespace forger;

namespace {

/// Runs `steps` steps and returns every real variable as doubles, and the losses.
struct StepRun {
  std::map<std::string, std::vector<double>> variables;
  double d_loss, g_loss;
};

StepRun run_steps(const Recipe& recipe, const Config& config, DType real, const BackendOptions& options, int steps) {
  const RealData data = load_real_data(config, real);
  const Backend backend = open_backend(options);
  VariableStore variables(*backend.device);
  const uint64_t seed = 5;
  Session session(compile(build_train_step(recipe, config, data, real), backend.providers, backend.target), variables, seed);
  session.bind("data", data.bytes.data());
  variables.write("rng/seed", std::as_bytes(std::span(&seed, 1)));
  session.run(steps);
  StepRun run{{}, session.scalar("d_loss"), session.scalar("g_loss")};
  for (const auto& [name, entry] : variables.entries()) {
    if (is_real(entry.type.dtype)) run.variables[name] = to_doubles(variables.read(name).data(), entry.type);
  }
  return run;
}

const BackendOptions kCpu{.device = "cpu"}, kOracle{.device = "cpu", .providers = "reference"};

BackendOptions on_emulator(const std::string& precision) {
  return {.device = "emulated", .precision = precision};
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
void compare_gradients(const Config& config, const BackendOptions& backend, double tolerance, double loss_tolerance = 1e-4) {
  const Recipe& recipe = find_recipe(config.recipe());
  const StepRun fast = run_steps(recipe, config, DType::f32, backend, 1);
  const StepRun exact = run_steps(recipe, config, DType::f64, kOracle, 1);
  CHECK(fast.d_loss == doctest::Approx(exact.d_loss).epsilon(loss_tolerance));
  CHECK(fast.g_loss == doctest::Approx(exact.g_loss).epsilon(loss_tolerance));
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
      compare_gradients(small("dcgan", {{"batch", "3"}, {"fakes", fakes}}), kCpu, 2e-3);
    }
  }
  TEST_CASE("step: dcgan's gradients on the emulated GPU agree with the reference in double, tensor by tensor") {
    compare_gradients(small("dcgan", {{"batch", "2"}, {"fakes", "shared"}}), on_emulator("fp32"), 2e-3);
  }
  TEST_CASE("step: dcgan's gradients in TF32 on the emulated GPU agree with the reference in double but for its rounding") {
    // The worst tensor is D's first bias, at 0.056: a sum over all pixels that nearly cancels, of a batch of two.
    compare_gradients(small("dcgan", {{"batch", "2"}, {"fakes", "shared"}}), on_emulator("tf32"), 8e-2, 1e-2);
  }
}

TEST_CASE("step: the small recipes' gradients agree with the reference in double") {
  for (const BackendOptions& backend : {kCpu, on_emulator("fp32")}) {
    CAPTURE(backend.device);
    compare_gradients(small("mlp", {{"batch", "8"}}), backend, 1e-3);
    compare_gradients(small("gaussians4", {{"batch", "16"}}), backend, 1e-3);
    compare_gradients(small("normal1d", {{"batch", "16"}}), backend, 1e-3);
  }
}

TEST_CASE("step: the losses of the first steps on the emulated GPU are the reference's") {
  const Config config = small("gaussians4", {{"batch", "32"}});
  for (const int steps : {1, 2, 3}) {
    const StepRun found = run_steps(find_recipe("gaussians4"), config, DType::f32, on_emulator("fp32"), steps);
    const StepRun expected = run_steps(find_recipe("gaussians4"), config, DType::f64, kOracle, steps);
    CHECK(found.d_loss == doctest::Approx(expected.d_loss).epsilon(1e-4));
    CHECK(found.g_loss == doctest::Approx(expected.g_loss).epsilon(1e-4));
  }
}
