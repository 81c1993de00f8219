// Passes that move work into batch norms and out of them: the fused graph computes what the unfused one does.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/autodiff/gradients.h"
#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"
#include "engine/passes/passes.h"
#include "engine/runtime/emulated_device.h"
#include "engine/runtime/session.h"

using namespace forger;

namespace {

int count_nodes(const Graph& graph, std::string_view op, const std::string& attribute = "") {
  int n = 0;
  for (const Node& node : graph.nodes()) n += node.op->name == op && (attribute.empty() || node.attributes.has(attribute));
  return n;
}

/// Every output and every variable's update after a run.
std::map<std::string, std::vector<double>> results(const Graph& graph, std::span<const Provider* const> providers, Device& device,
                                                   std::span<const Pass> passes) {
  VariableStore variables(device);
  Session session(compile(graph, providers, {}, passes), variables, 3);
  session.run(2);
  std::map<std::string, std::vector<double>> all;
  for (const auto& [name, id] : session.program().graph.outputs()) all[name] = session.output(name);
  for (const auto& [name, entry] : variables.entries()) {
    if (is_real(entry.type.dtype)) all[name] = to_doubles(variables.read(name).data(), entry.type);
  }
  return all;
}

double largest_difference(const std::map<std::string, std::vector<double>>& a,
                          const std::map<std::string, std::vector<double>>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (const auto& [name, values] : a) {
    for (size_t i = 0; i < values.size(); ++i) {
      const double difference = std::abs(values[i] - b.at(name)[i]) / (1 + std::abs(values[i]));
      worst = std::isfinite(difference) ? std::max(worst, difference) : INFINITY;
    }
  }
  return worst;
}

/// A convolutional block as discriminators have it, its gradients, and for second order their penalty's.
Graph network(DType real, bool second_order) {
  Graph g(real);
  const auto variable = [&](const std::string& name, Shape shape, double low, double high) {
    return g.variable(name, {real, std::move(shape)}, Initializer::uniform(low, high));
  };
  const Value seed = g.variable("seed", {DType::u64, {}}, Initializer::zeros());
  const Value step = g.variable("step", {DType::i64, {}}, Initializer::zeros());
  const Value x = variable("x", {3, 6, 5, 4}, -1, 1);
  std::vector<Value> wrt = {x};
  Value y = x;
  for (const std::string layer : {"1", "2"}) {
    const Value w = variable("w" + layer, {8, 3, 3, y.dim(-1)}, -0.5, 0.5), b = variable("b" + layer, {8}, 1, 2);
    const Value gamma = variable("gamma" + layer, {8}, 0.5, 1.5), beta = variable("beta" + layer, {8}, -1, 1);
    const BatchNorm norm =
        batch_norm_training(bias_add(conv2d(y, w, 1, Padding::same), b), gamma, beta, variable("mean" + layer, {8}, -1, 1),
                            variable("var" + layer, {8}, 1, 2), 1e-3, 0.8);
    g.update("mean" + layer, norm.running_mean);
    g.update("var" + layer, norm.running_var);
    y = dropout(second_order ? tanh(norm.y) : leaky_relu(norm.y, 0.2), seed, step, 0.25);
    wrt.insert(wrt.end(), {w, gamma, beta});
  }
  Value loss = mean_all(square(y));
  if (second_order) {
    const Value first[] = {x};
    loss = add(loss, mean_all(square(gradients(loss, first)[0])));
  }
  const auto d = gradients(loss, wrt);
  for (size_t i = 0; i < d.size(); ++i) g.output("d" + std::to_string(i), d[i]);
  g.output("loss", loss);
  g.update("step", increment(step));
  return g;
}

constexpr Pass kBefore[] = {
    {"simplify", simplify}, {"cse", cse}, {"dce", dce}, {"fuse_bias", fuse_bias}, {"fuse_elementwise", fuse_elementwise}};

std::vector<Pass> with(std::initializer_list<Pass> more) {
  std::vector<Pass> passes(std::begin(kBefore), std::end(kBefore));
  passes.insert(passes.end(), more);
  return passes;
}

Graph transformed(Graph graph, std::span<const Pass> passes) {
  for (const Pass& pass : passes) graph = pass.run(graph);
  return graph;
}

/// The passes' graph against the unfused one: in double on the reference, in float on the CPU's and the emulated kernels.
void compare(const std::vector<Pass>& passes, bool second_order) {
  const Provider* const reference[] = {&reference_provider()};
  const Provider* const cpu[] = {&onednn_provider(), &reference_provider()};
  const Provider* const gpu[] = {&emulated::provider()};
  const Graph exact = network(DType::f64, second_order), plain = network(DType::f32, second_order);
  const auto expected = results(exact, reference, host_device(), kBefore);
  CHECK(largest_difference(expected, results(exact, reference, host_device(), passes)) < 1e-12);
  CHECK(largest_difference(expected, results(plain, cpu, host_device(), passes)) < 1e-4);
  const auto device = open_emulated_device(7);
  CHECK(largest_difference(expected, results(plain, gpu, *device, passes)) < 1e-4);
}

}  // namespace

TEST_CASE("fuse_batch_norm: activation and dropout go into the batch norm, their gradient into its backward pass") {
  const auto passes = with({{"fuse_batch_norm", fuse_batch_norm}});
  const Graph graph = transformed(network(DType::f32, false), passes);
  CHECK(count_nodes(graph, "batch_norm_training", "epilogue") > 0);
  CHECK(count_nodes(graph, "batch_norm_grad", "prologue") > 0);
  for (const bool second_order : {false, true}) compare(passes, second_order);
}

TEST_CASE("fuse_batch_norm: what something else reads stays") {
  Graph g;
  const Value x = g.variable("x", {DType::f32, {5, 3}}, Initializer::uniform(-1, 1));
  const Value one = g.variable("one", {DType::f32, {3}}, Initializer::uniform(1, 2));
  const BatchNorm norm = batch_norm_training(x, one, one, one, one, 1e-3, 0.8);
  g.output("y", relu(norm.y));
  g.output("before", norm.y);
  CHECK(count_nodes(fuse_batch_norm(g), "relu") == 1);
}

TEST_CASE("fuse_batch_norm_statistics: the convolution makes what the batch norm made") {
  const auto passes = with({{"fuse_batch_norm_statistics", fuse_batch_norm_statistics}});
  for (const bool second_order : {false, true}) {
    const Graph graph = transformed(network(DType::f32, second_order), passes);
    CHECK(count_nodes(graph, "batch_norm_training") == 0);
    CHECK(count_nodes(graph, "batch_norm_apply") == 2);
    CHECK(count_nodes(graph, "conv2d", "statistics") == 2);
    compare(passes, second_order);
  }
}

TEST_CASE("fuse_batch_norm and its statistics together") {
  compare(with({{"fuse_batch_norm", fuse_batch_norm}, {"fuse_batch_norm_statistics", fuse_batch_norm_statistics}}), false);
  compare(with({{"fuse_batch_norm", fuse_batch_norm}, {"fuse_batch_norm_statistics", fuse_batch_norm_statistics}}), true);
}

TEST_CASE("fuse_batch_norm_statistics: not where something reads the convolution before the running values are there") {
  Graph g;
  const Value x = g.variable("x", {DType::f32, {2, 4, 4, 3}}, Initializer::uniform(-1, 1));
  const Value w = g.variable("w", {DType::f32, {3, 1, 1, 3}}, Initializer::uniform(-1, 1));
  const Value one = g.variable("one", {DType::f32, {3}}, Initializer::uniform(1, 2));
  const Value y = conv2d(x, w, 1, Padding::same);
  const Value mean = reduce_mean(y, {0, 1, 2});
  g.output("y", batch_norm_training(y, one, one, mean, one, 1e-3, 0.8).running_mean);
  CHECK(count_nodes(fuse_batch_norm_statistics(g), "batch_norm_training") == 1);
}
