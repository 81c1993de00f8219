// The library's façade: networks and data of the caller's, and the same numbers as the program's runs.
#include "training/gan.h"

#include <doctest/doctest.h>

#include "tests/test_files.h"
#include "training/trainer.h"

TEST_SUITE_BEGIN("gan");

using namespace forger;
using namespace forger::test;

namespace {

Value small_generator(Network& network, Value z, const Shape& sample, const ForwardPass& pass) {
  return Layers(network, z, pass).dense(8).relu().dense(sample[0]).value();
}

Value small_discriminator(Network& network, Value x, const ForwardPass& pass) {
  return Layers(network, x, pass).dense(8).leaky_relu(0.2).logits().value();
}

Recipe small_recipe(const std::vector<std::pair<std::string, std::string>>& options) {
  return own_recipe("small", SampleKind::points, small_generator, small_discriminator, options);
}

}  // namespace

TEST_CASE("gan: own networks on own data train and sample, the same way each time") {
  const std::vector<float> points{0.5f, 1, -0.5f, 2, 1.5f, 0, 0.25f, 0.75f};
  Gan a(small_recipe({{"batch", "4"}, {"z-dim", "3"}}), data_of(points, {2}));
  Gan b(small_recipe({{"batch", "4"}, {"z-dim", "3"}}), data_of(points, {2}));
  const std::vector<float> untrained = a.sample(5);
  a.train(3);
  a.train(2);
  b.train(5);
  CHECK(a.steps_done() == 5);
  CHECK(a.d_loss() == b.d_loss());
  CHECK(a.d_loss() > 0);
  CHECK(a.config().integer("threads") > 0);
  const std::vector<float> samples = a.sample(5);
  CHECK(samples.size() == 10);
  CHECK(samples == b.sample(5));
  CHECK(samples != untrained);
  CHECK(samples != a.sample(5, 1));
}

TEST_CASE("gan: a recipe of the list gives the numbers of its run") {
  Recipe recipe = find_recipe("gaussians4");
  recipe.defaults.set("batch", std::string("16"));
  TrainingRun run(recipe.defaults, nullptr);
  run.session().run(3);
  Gan gan(recipe, load_real_data(recipe.defaults));
  gan.train(3);
  CHECK(gan.g_loss() == run.session().scalar("g_loss"));
  CHECK(gan.variables().read("G/dense_1/kernel") == run.variables().read("G/dense_1/kernel"));
}

TEST_CASE("gan: images in memory, and classes") {
  const auto generator = [side = 4](Network& n, Value z, const Shape& sample, const ForwardPass& pass) {
    return Layers(n, z, pass).dense(side * side).tanh().reshape(sample).value();
  };
  const auto discriminator = [](Network& n, Value x, const ForwardPass& pass) {
    return Layers(n, x, pass).conv2d(4, 3, 2).leaky_relu(0.2).flatten().logits().value();
  };
  RealData data = data_of(std::vector<float>(6 * 16, 0.5f), {4, 4, 1});
  data.classes = 2;
  data.label_table = {DType::f32, {6, 2}};
  const std::vector<float> one_hot{1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1};
  const auto bytes = std::as_bytes(std::span(one_hot));
  data.label_bytes.assign(bytes.begin(), bytes.end());
  Gan gan(own_recipe("images", SampleKind::images, generator, discriminator,
                     {{"batch", "3"}, {"z-dim", "2"}, {"conditional", "concat"}, {"classes", "2"}}),
          std::move(data));
  gan.train(2);
  CHECK(gan.sample(2, 0, {1, 1}).size() == 32);
  CHECK(gan.sample(2, 0, {1, 1}) != gan.sample(2, 0, {0, 0}));
}

TEST_CASE("gan: what cannot be is said") {
  CHECK(contains(message_of<Error>([] { small_recipe({{"bacth", "4"}}); }), "batch"));
  CHECK(contains(message_of<Error>([] { small_recipe({{"batch", "four"}}); }), "four"));
  CHECK(contains(message_of<Error>([] { data_of({1, 2, 3}, {2}); }), "3 numbers do not fill rows of [2]"));
  CHECK(contains(message_of<Error>([] { data_of({}, {2}); }), "0 numbers"));
  const auto classifier = [] { Gan gan(find_recipe(kClassifierRecipe), data_of({1, 2}, {2})); };
  CHECK(contains(message_of<Error>(classifier), "no generator"));
}

TEST_SUITE_END();
