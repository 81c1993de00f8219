// Recipes: their sizes, and that training moves samples toward the data.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "engine/ops/ops.h"
#include "training/samples.h"
#include "training/trainer.h"

using namespace forger;

namespace {

Config configured(const std::string& recipe, std::initializer_list<std::pair<const char*, const char*>> values) {
  Config config = find_recipe(recipe).defaults;
  if (config.has("data")) config.set("data", OptionValue(std::string(FORGER_SOURCE_DIR "/datasets/mnist")));
  for (const auto& [name, text] : values) config.set(name, std::string(text));
  return config;
}

constexpr int64_t kSamples = 64, kReals = 2000;

/// Mean distance (root mean square over pixels) of generated images to the nearest of the first 2,000 digits.
double distance_to_digits(TrainingRun& run) {
  const Shape shape = run.data().sample_shape();
  const int64_t pixels = num_elements(shape);
  Sampler sampler(run.recipe(), run.config(), shape, run.backend(), run.variables());
  const auto fakes = sampler(latent_noise(run.config(), kSamples, 1, "test/z"));
  const auto* reals = reinterpret_cast<const uint8_t*>(run.data().bytes.data());
  double total = 0;
  for (int64_t i = 0; i < kSamples; ++i) {
    double nearest = std::numeric_limits<double>::max();
    for (int64_t j = 0; j < kReals; ++j) {
      double squares = 0;
      for (int64_t p = 0; p < pixels; ++p) {
        const double d = static_cast<double>(fakes[static_cast<size_t>(i * pixels + p)]) - (reals[j * pixels + p] / 127.5 - 1);
        squares += d * d;
      }
      nearest = std::min(nearest, squares);
    }
    total += std::sqrt(nearest / static_cast<double>(pixels));
  }
  return total / kSamples;
}

/// Distances before and after `steps` steps.
std::pair<double, double> train_and_measure(const Config& config, int steps) {
  TrainingRun run(config, nullptr);
  const double before = distance_to_digits(run);
  for (int i = 0; i < steps; ++i) run.session().run();
  CHECK(std::isfinite(run.session().scalar("d_loss")));
  CHECK(std::isfinite(run.session().scalar("g_loss")));
  return {before, distance_to_digits(run)};
}

}  // namespace

TEST_CASE("recipes: the DCGAN has the tutorial's parameters") {
  const Recipe& recipe = find_recipe("dcgan");
  const auto [g, d] = summarize(recipe, recipe.defaults, {28, 28, 1});
  CHECK(g.trainable == 1'554'945);
  CHECK(g.trainable + g.not_trainable == 1'555'329);
  CHECK(d.trainable == 693'889);
  CHECK(d.trainable + d.not_trainable == 694'785);
  CHECK(g.rows.size() == 11 + 1);  // the tutorial folds the last tanh into its convolution
  CHECK(g.rows[2].output == Shape{14, 14, 128});
  CHECK(g.rows[2].parameters == 262'272);
  CHECK(d.rows[0].parameters == 320);
}

TEST_CASE("recipes: the smallest networks have the texts' sizes") {
  const Recipe& pattern = find_recipe("pattern1010");
  const auto [pg, pd] = summarize(pattern, pattern.defaults, {4});
  CHECK(pg.trainable == (1 * 3 + 3) + (3 * 4 + 4));  // 1-3-4
  CHECK(pd.trainable == (4 * 3 + 3) + (3 * 1 + 1));  // 4-3-1
  const Recipe& normal = find_recipe("normal1d");
  const auto [ng, nd] = summarize(normal, normal.defaults, {1});
  CHECK(ng.trainable == (8 * 4 + 4) + (4 * 1 + 1));  // 8-4-1
  CHECK(nd.trainable == (1 * 8 + 8) + (8 * 1 + 1));  // 1-8-1
}

TEST_CASE("training: the pattern GAN ends near D = 0.5 and a squared error of 0.25") {
  TrainingRun run(configured("pattern1010", {}), nullptr);
  for (int i = 0; i < 10000; ++i) run.session().run();
  CHECK(run.session().scalar("d_fake") == doctest::Approx(0.5).epsilon(0.1));
  CHECK(run.session().scalar("d_loss") == doctest::Approx(0.25).epsilon(0.15));
  Sampler sampler(run.recipe(), run.config(), {4}, run.backend(), run.variables());
  const auto output = sampler({0.5f});
  CHECK(output[0] > 0.8f);
  CHECK(output[1] < 0.2f);
  CHECK(output[2] > 0.8f);
  CHECK(output[3] < 0.2f);
}

TEST_CASE("training: samples of the fully connected GAN move toward digits") {
  const auto [before, after] = train_and_measure(configured("mlp", {}), 600);
  CAPTURE(before);
  CAPTURE(after);
  CHECK(before > 0.8);  // grey noise against black and white strokes
  CHECK(after < 0.65 * before);
}

TEST_SUITE("slow") {
  TEST_CASE("training: samples of the DCGAN move toward digits") {
    const auto [before, after] = train_and_measure(configured("dcgan", {{"fakes", "shared"}, {"batch", "16"}}), 100);
    CAPTURE(before);
    CAPTURE(after);
    CHECK(before > 0.8);
    CHECK(after < 0.75 * before);
  }
}

TEST_CASE("training: epochs pass every row once before any comes twice") {
  RealData data;
  data.table = {DType::f32, {10, 1}};
  data.replacement = false;
  Graph graph;
  const DataInputs inputs = data_inputs(graph, data);
  const Value seed = graph.variable("seed", {DType::u64, {}}, Initializer::constant(3));
  const Value step = graph.variable("step", {DType::i64, {}}, Initializer::zeros());
  graph.output("a", real_batch(data, inputs, {seed, step, 5, 0, 2}).samples);
  graph.output("b", real_batch(data, inputs, {seed, step, 5, 1, 2}).samples);
  graph.update("step", increment(step));
  VariableStore variables(host_device());
  const float rows[10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  Session session(compile(graph, parse_providers("onednn,reference")), variables, 0);
  session.bind("data", rows);
  std::vector<std::vector<double>> epochs;
  for (int epoch = 0; epoch < 4; ++epoch) {
    session.run();
    auto seen = session.output("a");
    const auto b = session.output("b");
    seen.insert(seen.end(), b.begin(), b.end());
    epochs.push_back(seen);
    std::sort(seen.begin(), seen.end());
    CHECK(seen == std::vector<double>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  }
  CHECK(epochs[0] != epochs[1]);
}
