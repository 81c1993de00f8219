// Passes that move work into batch norms and out of them: the fused graph computes what the unfused one does.
#include <doctest/doctest.h>

#include <cmath>
#include <set>

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
  const Value x = variable("x", {3, 6, 5, 8}, -1, 1);
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
void compare(const std::vector<Pass>& passes, bool second_order, Graph (*build)(DType, bool) = network) {
  const Provider* const reference[] = {&reference_provider()};
  const Provider* const cpu[] = {&onednn_provider(), &reference_provider()};
  const Provider* const gpu[] = {&emulated::provider()};
  const Graph exact = build(DType::f64, second_order), plain = build(DType::f32, second_order);
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

namespace {

std::vector<Pass> joining() {
  return with({{"fuse_batch_norm", fuse_batch_norm},
               {"fuse_epilogue", fuse_epilogue},
               {"dce", dce},
               {"fuse_batch_norm_statistics", fuse_batch_norm_statistics},
               {"join_batch_norm", join_batch_norm}});
}

std::set<std::string_view> kernels_of(const Graph& graph, const std::vector<Pass>& passes, const Target& target) {
  const Provider* const gpu[] = {&emulated::provider()};
  std::set<std::string_view> names;
  for (const Launch& launch : compile(graph, gpu, target, passes).launches) names.insert(launch.choice.kernel->name);
  return names;
}

}  // namespace

TEST_CASE("join_batch_norm: convolution and batch norm are one node, forward and backward") {
  const Graph graph = transformed(network(DType::f32, false), joining());
  CHECK(count_nodes(graph, "block_program", "together") == 3);  // dy of the second batch norm is no convolution's
  CHECK(count_nodes(graph, "batch_norm_apply") == 0);
  CHECK(count_nodes(graph, "batch_norm_grad") == 1);
  for (const bool second_order : {false, true}) compare(joining(), second_order);
}

TEST_CASE("join_batch_norm: one launch where its blocks may wait for each other, else one by one") {
  const Graph graph = network(DType::f32, false);
  for (const Precision precision : {Precision::fp32, Precision::tf32}) {
    const std::string suffix = precision == Precision::fp32 ? "_ffma" : "_tf32";
    const auto together = kernels_of(graph, joining(), {.precision = precision});
    CHECK(together.contains("conv2d_batch_norm" + suffix));
    CHECK(together.contains("conv2d_input_grad_norm_grad" + suffix));
    CHECK_FALSE(together.contains("block_program_launches"));
    const auto apart = kernels_of(graph, joining(), {.precision = precision, .together = 0});
    CHECK(apart.contains("block_program_launches"));
    CHECK_FALSE(apart.contains("conv2d_batch_norm" + suffix));
  }
}

TEST_CASE("join_batch_norm: a convolution that something reads before its batch norm is joined where it stands") {
  const auto build = [](bool gamma_is_there) {
    Graph g;
    const Value x = g.variable("x", {DType::f32, {2, 4, 4, 8}}, Initializer::uniform(-1, 1));
    const Value w = g.variable("w", {DType::f32, {8, 1, 1, 8}}, Initializer::uniform(-1, 1));
    const Value one = g.variable("one", {DType::f32, {8}}, Initializer::uniform(1, 2));
    const Value y = conv2d(x, w, 1, Padding::same);
    const Value before = tanh(y);
    g.output("before", before);
    const Value gamma = gamma_is_there ? one : reduce_mean(before, {0, 1, 2});
    const BatchNorm norm = batch_norm_training(y, gamma, one, one, one, 1e-3, 0.8);
    g.output("y", norm.y);
    g.output("mean", norm.running_mean);
    return g;
  };
  const Pass passes[] = {{"fuse_batch_norm_statistics", fuse_batch_norm_statistics}, {"join_batch_norm", join_batch_norm}};
  const Graph joined = transformed(build(true), passes), apart = transformed(build(false), passes);
  CHECK(count_nodes(joined, "block_program", "together") == 1);
  CHECK(count_nodes(apart, "block_program") == 0);
  const Provider* const gpu[] = {&emulated::provider()};
  const auto device = open_emulated_device(7);
  for (const bool there : {true, false}) {
    const Graph graph = build(there);
    CHECK(largest_difference(results(graph, gpu, *device, {}), results(graph, gpu, *device, passes)) < 1e-5);
  }
}

TEST_CASE("join_batch_norm: what a joined node writes overlaps nothing that it still reads") {
  // y has the type of x, which nothing reads later; blocks still read x when others write y.
  Graph g;
  const Value x = tanh(g.variable("x", {DType::f32, {2, 8, 8, 64}}, Initializer::uniform(-1, 1)));
  const Value w = g.variable("w", {DType::f32, {64, 3, 3, 64}}, Initializer::uniform(-1, 1));
  const Value one = g.variable("one", {DType::f32, {64}}, Initializer::uniform(1, 2));
  g.output("y", batch_norm_training(conv2d(x, w, 1, Padding::same), one, one, one, one, 1e-3, 0.8).y);
  const Graph joined = transformed(std::move(g), std::vector<Pass>{{"fuse_batch_norm_statistics", fuse_batch_norm_statistics},
                                                                   {"join_batch_norm", join_batch_norm}});
  const Node& node = joined.nodes().back();
  REQUIRE(node.op->name == "block_program");
  for (const auto& inputs : node.op->in_place(node)) CHECK(inputs.empty());
}

TEST_CASE("join_batch_norm: not behind few channels, which have kernels of their own") {
  Graph g;
  const Value x = g.variable("x", {DType::f32, {2, 4, 4, 3}}, Initializer::uniform(-1, 1));
  const Value w = g.variable("w", {DType::f32, {8, 3, 3, 3}}, Initializer::uniform(-1, 1));
  const Value one = g.variable("one", {DType::f32, {8}}, Initializer::uniform(1, 2));
  g.output("y", batch_norm_training(conv2d(x, w, 1, Padding::same), one, one, one, one, 1e-3, 0.8).y);
  CHECK(count_nodes(join_batch_norm(fuse_batch_norm_statistics(g)), "block_program") == 0);
}

namespace {

/// Convolutions with biases, whose gradients are sums of what another convolution gives.
Graph biased(DType real, bool second_order) {
  Graph g(real);
  const auto variable = [&](const std::string& name, Shape shape) {
    return g.variable(name, {real, std::move(shape)}, Initializer::uniform(-0.5, 0.5));
  };
  const Value x = variable("x", {3, 6, 5, 8});
  std::vector<Value> wrt = {x};
  Value y = x;
  for (const std::string layer : {"1", "2", "3"}) {
    const Value w = variable("w" + layer, {8, 3, 3, 8}), b = variable("b" + layer, {8});
    const Value sum = bias_add(layer == "2" ? conv2d_transpose(y, w, 2) : conv2d(y, w, 1, Padding::same), b);
    y = second_order ? tanh(sum) : leaky_relu(sum, 0.2);
    wrt.insert(wrt.end(), {w, b});
  }
  Value loss = mean_all(square(y));
  if (second_order) {
    const Value first[] = {x};
    loss = add(loss, mean_all(square(gradients(loss, first)[0])));
  }
  const auto d = gradients(loss, wrt);
  for (size_t i = 0; i < d.size(); ++i) g.output("d" + std::to_string(i), d[i]);
  g.output("loss", loss);
  return g;
}

}  // namespace

TEST_CASE("join_column_sums: a bias's gradient is summed by the convolution that makes what is summed") {
  const auto passes = with({{"fuse_epilogue", fuse_epilogue}, {"dce", dce}, {"join_column_sums", join_column_sums}});
  const Graph joined = transformed(biased(DType::f32, false), passes);
  CHECK(count_nodes(joined, "block_program", "together") == 2);  // of the last layer no convolution makes it
  CHECK(count_nodes(joined, "reduce_sum") == count_nodes(transformed(biased(DType::f32, false), kBefore), "reduce_sum") - 2);
  const auto kernels = kernels_of(biased(DType::f32, false), passes, {});
  CHECK(kernels.contains("conv2d_sums_ffma"));
  CHECK(kernels.contains("conv2d_input_grad_sums_ffma"));
  for (const bool second_order : {false, true}) compare(passes, second_order, biased);
}
