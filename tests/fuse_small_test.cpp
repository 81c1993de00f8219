// Programs of small nodes: what they compute is what the nodes compute one by one.
#include <doctest/doctest.h>

#include "engine/autodiff/gradients.h"
#include "engine/ops/block_program.h"
#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"
#include "engine/passes/passes.h"
#include "engine/runtime/backend.h"
#include "engine/runtime/dependencies.h"
#include "engine/runtime/session.h"
#include "models/gan_step.h"

using namespace forger;

namespace {

const Provider* const kReference[] = {&reference_provider()};

std::vector<Pass> passes_before(std::string_view name) {
  auto passes = default_passes();
  size_t count = 0;
  while (count < passes.size() && passes[count].name != name) ++count;
  REQUIRE(count < passes.size());
  passes.resize(count);
  return passes;
}

int count_ops(const Graph& graph, std::string_view op) {
  int n = 0;
  for (const Node& node : graph.nodes()) n += node.op->name == op;
  return n;
}

/// All variables and outputs after some steps of a graph whose inputs are bound to `data`.
struct Result {
  std::map<std::string, std::vector<double>> values;
  size_t launches, copies, critical;
};
Result run(const Graph& graph, const BackendOptions& options, std::span<const Pass> passes, const void* data, int steps) {
  const Backend backend = open_backend(options);
  VariableStore variables(*backend.device);
  Program program = compile(graph, backend.providers, backend.target, passes);
  Result result{
      {}, program.launches.size(), program.memory.final_copies.size(), critical_path(launch_dependencies(program)).size()};
  Session session(std::move(program), variables, 5);
  if (data) session.bind("data", data);
  session.run(steps);
  for (const auto& [name, entry] : variables.entries()) {
    result.values[name] = to_doubles(variables.read(name).data(), entry.type);
  }
  for (const auto& [name, id] : graph.outputs()) result.values["output " + name] = session.output(name);
  return result;
}

Config config_of(const std::string& recipe, const std::vector<std::pair<const char*, const char*>>& values) {
  Config config = find_recipe(recipe).defaults;
  for (const auto& [name, text] : values) config.set(name, std::string(text));
  return config;
}

/// Fused and unfused steps of a recipe: the same numbers, fewer launches, no longer chain of them.
void compare(const Config& config, const BackendOptions& options, bool same_bits, std::string_view without = "fuse_small") {
  const RealData data = load_real_data(config, DType::f32);
  const Graph graph = build_train_step(find_recipe(config.recipe()), config, data, DType::f32);
  const Result fused = run(graph, options, default_passes(), data.bytes.data(), 3);
  const Result plain = run(graph, options, passes_before(without), data.bytes.data(), 3);
  CHECK(fused.launches < plain.launches);
  CHECK(fused.critical <= plain.critical);
  CHECK(fused.copies <= plain.copies);
  REQUIRE(fused.values.size() == plain.values.size());
  for (const auto& [name, expected] : plain.values) {
    CAPTURE(name);
    const auto& found = fused.values.at(name);
    REQUIRE(found.size() == expected.size());
    if (same_bits) {
      CHECK(found == expected);
    } else {
      for (size_t i = 0; i < found.size(); ++i) CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-4));
    }
  }
}

}  // namespace

TEST_CASE("fuse_small: every loss's steps keep their bits on a CPU, with fewer launches") {
  const BackendOptions cpu{.device = "cpu"};
  for (const char* loss : {"non-saturating", "minimax", "mse", "lsgan", "hinge", "wgan", "relativistic"}) {
    CAPTURE(loss);
    const bool paired = std::string_view(loss) == "relativistic";
    compare(config_of("gaussians4",
                      {{"batch", "16"}, {"loss", loss}, {"d-update", paired ? "sum" : "separate"}, {"weight-clip", "0.01"}}),
            cpu, true);
  }
}

TEST_CASE("fuse_small: a gradient penalty's step, with derivatives of second order, keeps its bits") {
  const Config config =
      config_of("gaussians4", {{"batch", "16"}, {"loss", "wgan"}, {"d-update", "sum"}, {"gradient-penalty", "wgan-gp"}});
  compare(config, {.device = "cpu"}, true);
  compare(config, {.device = "cpu", .providers = "reference"}, true);
}

TEST_CASE("fuse_small: steps on the emulated GPU are the same but for the order of sums down columns") {
  const BackendOptions emulated{.device = "emulated", .precision = "fp32"};
  compare(config_of("gaussians4", {{"batch", "16"}}), emulated, false);
  compare(config_of("gaussians4", {{"batch", "16"}, {"loss", "hinge"}, {"d-update", "sum"}}), emulated, false);
}

TEST_CASE("fuse_head: logits and their loss in one launch keep every bit") {
  for (const char* device : {"cpu", "emulated"}) {
    const BackendOptions options{.device = device, .precision = "fp32"};
    for (const char* loss : {"non-saturating", "hinge"})
      compare(config_of("gaussians4", {{"batch", "16"}, {"loss", loss}}), options, true, "fuse_head");
  }
  const Config config =
      config_of("gaussians4", {{"batch", "16"}, {"loss", "wgan"}, {"d-update", "sum"}, {"gradient-penalty", "wgan-gp"}});
  compare(config, {.device = "cpu"}, true, "fuse_head");
}

TEST_CASE("fuse_vector_grads: both gradients of a head in one launch keep every bit") {
  static constexpr Pass kOnly[] = {{"fuse_vector_grads", fuse_vector_grads}};
  for (const char* device : {"cpu", "emulated"}) {
    const BackendOptions options{.device = device, .precision = "fp32"};
    Graph g;  // of second order, too: the slope of y, and the gradient of its length
    const Value x = g.variable("x", {DType::f32, {9, 33}}, Initializer::uniform(-1, 1));
    const Value w = g.variable("w", {DType::f32, {33, 1}}, Initializer::uniform(-1, 1));
    const Value wrt[] = {x, w};
    const auto first = gradients(mean_all(softplus(matmul(x, w))), wrt);
    const auto second = gradients(mean_all(square(first[0])), wrt);
    g.output("dx", first[0]);
    g.output("dw", first[1]);
    g.output("ddx", second[0]);
    g.output("ddw", second[1]);
    CHECK(count_ops(fuse_vector_grads(g), "block_program") >= 1);
    CHECK(run(g, options, kOnly, nullptr, 1).values == run(g, options, {}, nullptr, 1).values);
  }
}

TEST_CASE("fuse_small: a node before and one after a large node are never one program") {
  Graph g;
  const Value x = g.variable("x", {DType::f32, {8, 8}}, Initializer::uniform(-1, 1));
  const Value a = tanh(square(x)), b = reduce_sum(a, {0});            // before the product
  const Value c = matmul(a, x), d = tanh(c), e = reduce_sum(d, {0});  // after it
  g.output("y", add(e, b));
  g.output("s", mean_all(d));
  const Graph fused = fuse_small(g);
  CHECK(count_ops(fused, "matmul") == 1);
  CHECK(count_ops(fused, "block_program") == 2);
  const auto plain = run(g, {.device = "cpu", .providers = "reference"}, {}, nullptr, 1);
  static constexpr Pass kOnly[] = {{"fuse_small", fuse_small}};
  CHECK(run(g, {.device = "cpu", .providers = "reference"}, kOnly, nullptr, 1).values == plain.values);
}

TEST_CASE("fuse_small: counters are incremented in place, after their last reader") {
  Graph g;
  const Value seed = g.variable("seed", {DType::u64, {}}, Initializer::zeros());
  const Value step = g.variable("step", {DType::i64, {}}, Initializer::zeros());
  const Value t = g.variable("t", {DType::i64, {}}, Initializer::zeros());
  const Value w = g.variable("w", {DType::f32, {8, 8}}, Initializer::uniform(-1, 1));
  const Value noise = random_normal(seed, step, 0, 1, {8, 8}), rows = random_uniform(seed, step, 0, 1, {3});
  const Value early = increment(step);  // written down before the last reader
  const Value y = dropout(matmul(noise, w), seed, step, 0.5), z = matmul(y, w);
  const Value once = increment(t), twice = increment(once);
  g.output("z", z);
  g.output("rows", scale(rows, 2));
  g.output("late", dropout(z, seed, step, 0.5));
  g.update("step", early);
  g.update("t", twice);
  static constexpr Pass kOnly[] = {{"fuse_small", fuse_small}};
  const BackendOptions reference{.device = "cpu", .providers = "reference"};
  const Result plain = run(g, reference, {}, nullptr, 3), fused = run(g, reference, kOnly, nullptr, 3);
  CHECK(fused.values == plain.values);
  CHECK(fused.values.at("step") == std::vector<double>{3});
  CHECK(fused.values.at("t") == std::vector<double>{6});
  CHECK(fused.copies == 0);
  CHECK(fused.launches < plain.launches);
}

TEST_CASE("fuse_small: a view that leaves its program costs nothing, one inside is read through") {
  Graph g;
  const Value x = g.variable("x", {DType::f32, {2, 3}}, Initializer::uniform(-1, 1));
  const Value a = tanh(x), flat = reshape(a, {6}), b = square(flat);
  g.output("flat", flat);
  g.output("b", reduce_sum(b, {0}));
  const Graph fused = fuse_small(g);
  CHECK(count_ops(fused, "block_program") == 1);
  CHECK(count_ops(fused, "reshape") == 1);
  const BackendOptions reference{.device = "cpu", .providers = "reference"};
  static constexpr Pass kOnly[] = {{"fuse_small", fuse_small}};
  CHECK(run(g, reference, kOnly, nullptr, 1).values == run(g, reference, {}, nullptr, 1).values);
}

TEST_CASE("block_program: equal programs are one node after common subexpressions are") {
  Graph g;
  const Value x = g.variable("x", {DType::f32, {4}}, Initializer::uniform(-1, 1));
  const auto program = [&](double factor) {
    Graph inside;
    const Value a = inside.input("0", x.type());
    inside.output("0", scale(tanh(a), factor));
    return block_program(std::span(&x, 1), {std::make_shared<const Graph>(std::move(inside))})[0];
  };
  g.output("y", add(program(2), program(2)));
  g.output("z", program(3));
  CHECK(count_ops(cse(g), "block_program") == 2);
}

TEST_CASE("block_program: axes that lie side by side") {
  CHECK(broadcast_run({3, 1}, {3, 5})->repeat == 5);
  CHECK(broadcast_run({3, 1}, {3, 5})->period == 3);
  CHECK(broadcast_run({5}, {2, 3, 5})->period == 5);
  CHECK(broadcast_run({2, 1, 1}, {4, 2, 3, 5})->repeat == 15);
  CHECK_FALSE(broadcast_run({2, 1, 5}, {2, 3, 5}));
  CHECK(middle_sum({2, 3, 4}, {1})->inner == 4);
  CHECK(middle_sum({2, 3, 4}, {1})->outer == 2);
  CHECK(middle_sum({2, 3, 4}, {0, 1, 2})->summed == 24);
  CHECK(middle_sum({2, 1, 4}, {0, 2})->summed == 8);
  CHECK_FALSE(middle_sum({2, 3, 4}, {0, 2}));
}

TEST_CASE("fuse_small: constants that large nodes read are made by an earlier program, not by a launch of their own") {
  Graph graph(DType::f32);
  const auto variable = [&](const char* name, Shape shape) {
    return graph.variable(name, {DType::f32, std::move(shape)}, Initializer::uniform(-1, 1));
  };
  const Value sums = mul(reduce_sum(variable("a", {8, 64}), {0}), reduce_sum(variable("b", {8, 64}), {0}));  // a program
  const Value x = bias_add(variable("x", {64, 64}), sums);
  const Value far = matmul(matmul(x, variable("v", {64, 64})), variable("w", {64, 64}));
  graph.output("y", bias_add(far, fill(graph, 0.5, {64})));
  const Graph fused = run_passes(graph, default_passes());
  int programs = 0, fills = 0;
  for (const Node& node : fused.nodes()) {
    programs += node.op->name == "block_program";
    fills += node.op->name == "fill";
  }
  CHECK(fills == 0);
  CHECK(programs == 1);
}
