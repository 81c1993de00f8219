// The gradients of a layer as one launch: what they compute is what they compute one by one.
#include <doctest/doctest.h>

#include <set>

#include "engine/autodiff/gradients.h"
#include "engine/ops/block_program.h"
#include "engine/ops/layer_grads.h"
#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"
#include "engine/passes/passes.h"
#include "engine/runtime/autotune.h"
#include "engine/runtime/backend.h"
#include "engine/runtime/session.h"

using namespace forger;

namespace {

constexpr Pass kFuse[] = {{"cse", cse}, {"dce", dce}, {"fuse_layer_grads", fuse_layer_grads}};

/// The programs of a graph that are gradients of layers.
std::vector<LayerGrads> layers_in(const Graph& graph) {
  std::vector<LayerGrads> all;
  for (const Node& node : graph.nodes()) {
    if (node.op->name != "block_program") continue;
    if (const auto grads = layer_grads_of(program_of(node))) all.push_back(*grads);
  }
  return all;
}

/// Outputs by name after some steps.
std::map<std::string, std::vector<double>> run(const Graph& graph, const BackendOptions& options, std::span<const Pass> passes,
                                               int steps = 1) {
  const Backend backend = open_backend(options);
  VariableStore variables(*backend.device);
  Session session(compile(graph, backend.providers, backend.target, passes), variables, 3);
  session.run(steps);
  std::map<std::string, std::vector<double>> outputs;
  for (const auto& [name, id] : graph.outputs()) outputs[name] = session.output(name);
  return outputs;
}

void check_close(const std::map<std::string, std::vector<double>>& found,
                 const std::map<std::string, std::vector<double>>& expected) {
  REQUIRE(found.size() == expected.size());
  for (const auto& [name, values] : expected) {
    CAPTURE(name);
    double largest = 1e-30;
    for (const double v : values) largest = std::max(largest, std::abs(v));
    REQUIRE(found.at(name).size() == values.size());
    for (size_t i = 0; i < values.size(); ++i) CHECK(std::abs(found.at(name)[i] - values[i]) <= 2e-5 * largest);
  }
}

struct Network {
  Graph graph;
  Value weight(const std::string& name, Shape shape) {
    return graph.variable(name, {DType::f32, std::move(shape)}, Initializer::uniform(-0.5, 0.5), true);
  }
};

/// An image of one channel through a convolution, one of many channels, a transposed one and two dense layers; all with biases.
/// Outputs are the gradients of all weights and of the image, or those of the square of the image's gradient.
Graph network(bool second_order) {
  Network net;
  const Value x = net.weight("x", {2, 7, 7, 1});
  std::vector<Value> wrt = {x};
  const auto weight = [&](const char* name, Shape shape) { return wrt.emplace_back(net.weight(name, std::move(shape))); };
  Value h = leaky_relu(bias_add(conv2d(x, weight("w0", {16, 3, 3, 1}), 1, Padding::same), weight("b0", {16})), 0.2);
  h = tanh(bias_add(conv2d(h, weight("w1", {12, 4, 4, 16}), 2, Padding::same), weight("b1", {12})));
  h = tanh(bias_add(conv2d_transpose(h, weight("w2", {12, 4, 4, 8}), 2, 7, 7), weight("b2", {8})));
  h = tanh(bias_add(matmul(reshape(h, {2, 392}), weight("w3", {392, 8})), weight("b3", {8})));
  h = bias_add(matmul(h, weight("w4", {8, 1})), weight("b4", {1}));
  const auto first = gradients(mean_all(softplus(h)), wrt);
  if (!second_order) {
    for (size_t i = 0; i < first.size(); ++i) net.graph.output("d" + std::to_string(i), first[i]);
    return std::move(net.graph);
  }
  const std::vector<Value> weights(wrt.begin() + 1, wrt.end());
  const auto second = gradients(mean_all(square(first[0])), weights);
  for (size_t i = 0; i < second.size(); ++i) net.graph.output("dd" + std::to_string(i), second[i]);
  return std::move(net.graph);
}

}  // namespace

TEST_CASE("fuse_layer_grads: joins what belongs together, of every kind of layer") {
  const auto found = layers_in(run_passes(network(false), kFuse));
  REQUIRE(found.size() == 4);
  std::set<Layer> kinds;
  for (const LayerGrads& grads : found) {
    kinds.insert(grads.layer);
    CHECK(grads.bias);
  }
  CHECK(kinds.size() == 3);
  // Not the gradient of the image, whose one channel is a direct kernel's.
  CHECK(std::count_if(found.begin(), found.end(), [](const LayerGrads& g) { return g.input != nullptr; }) == 3);
}

TEST_CASE("fuse_layer_grads: on a CPU, node by node, not a bit changes, in first and second order") {
  for (const bool second_order : {false, true}) {
    const Graph graph = network(second_order);
    CHECK_FALSE(layers_in(run_passes(graph, kFuse)).empty());
    for (const char* providers : {"reference", "onednn,reference"}) {
      const BackendOptions cpu{.device = "cpu", .providers = providers};
      CHECK(run(graph, cpu, kFuse) == run(graph, cpu, {}));
    }
  }
}

TEST_CASE("fuse_layer_grads: a GPU has a kernel for each of them, in every precision") {
  const Provider* const emulated[] = {&emulated::provider()};
  for (const auto& [precision, kernel] : {std::pair{Precision::fp32, "layer_grads_ffma"},
                                          {Precision::tf32, "layer_grads_tf32"},
                                          {Precision::bf16, "layer_grads_bf16"}}) {
    std::map<std::string_view, int> kernels;
    for (const Launch& launch : compile(network(false), emulated, {.precision = precision}, kFuse).launches) {
      ++kernels[launch.choice.kernel->name];
    }
    CHECK(kernels[kernel] == 3);
    CHECK(kernels["layer_grads_few_channels"] == 1);
    CHECK(kernels["block_program_launches"] == 0);
  }
}

TEST_CASE("fuse_layer_grads: on the emulated GPU only the order of sums changes, in first and second order") {
  const BackendOptions emulated{.device = "emulated", .precision = "fp32"};
  for (const bool second_order : {false, true}) {
    const Graph graph = network(second_order);
    const auto fused = run(graph, emulated, kFuse);
    check_close(fused, run(graph, emulated, {}));
    CHECK(fused == run(graph, emulated, kFuse));  // every bit, run for run
  }
}

TEST_CASE("fuse_layer_grads: with all passes of a GPU, epilogues and dropout included") {
  for (const bool second_order : {false, true}) {
    const Graph graph = network(second_order);
    const BackendOptions emulated{.device = "emulated", .precision = "fp32"};
    CHECK_FALSE(layers_in(run_passes(graph, default_passes({.statistics = true, .layer_grads = true}))).empty());
    check_close(run(graph, emulated, default_passes({.statistics = true, .layer_grads = true})),
                run(graph, emulated, default_passes({.statistics = true})));
  }
}

TEST_CASE("fuse_layer_grads: a gradient that is needed before the others can be made stays apart") {
  Network net;
  const Value g = net.weight("g", {2, 5, 5, 8}), w = net.weight("w", {8, 3, 3, 8});
  const Conv2dShape s{.N = 2, .H = 5, .W = 5, .C = 8, .K = 8, .R = 3, .S = 3, .P = 5, .Q = 5, .pad_top = 1, .pad_left = 1};
  const Value dx = conv2d_input_grad(g, w, s);
  net.graph.output("dw", conv2d_filter_grad(tanh(dx), g, s));  // reads dx
  net.graph.output("db", reduce_sum(g, {0, 1, 2}));
  const Graph fused = fuse_layer_grads(net.graph);
  const auto layers = layers_in(fused);
  CHECK(std::none_of(layers.begin(), layers.end(), [](const LayerGrads& l) { return l.input != nullptr; }));
  const BackendOptions reference{.device = "cpu", .providers = "reference"};
  CHECK(run(fused, reference, {}) == run(net.graph, reference, {}));
}

TEST_CASE("fuse_layer_grads: no result takes over memory that another node still reads") {
  Network net;
  // dw is as large as w, which only dx reads: one after the other dw could lie there.
  const Value g = net.weight("g", {2, 5, 5, 8}), w = tanh(net.weight("w", {8, 3, 3, 8})), x = tanh(net.weight("x", {2, 5, 5, 8}));
  const Conv2dShape s{.N = 2, .H = 5, .W = 5, .C = 8, .K = 8, .R = 3, .S = 3, .P = 5, .Q = 5, .pad_top = 1, .pad_left = 1};
  net.graph.output("dx", conv2d_input_grad(g, w, s));
  net.graph.output("dw", conv2d_filter_grad(x, g, s));
  const Graph fused = fuse_layer_grads(net.graph);
  REQUIRE(layers_in(fused).size() == 1);
  for (const Node& node : fused.nodes()) {
    if (node.op->name != "block_program") continue;
    for (const auto& candidates : node.op->in_place(node)) CHECK(candidates.empty());
  }
  const BackendOptions emulated{.device = "emulated", .precision = "fp32"};
  check_close(run(fused, emulated, {}), run(net.graph, emulated, {}));
}

TEST_CASE("fuse_layer_grads: for a GPU with its own kernels alone") {
  CHECK(plan_backend({.device = "cuda"}).target.fuse_layer_grads);
  CHECK(plan_backend({.device = "emulated"}).target.fuse_layer_grads);
  CHECK_FALSE(plan_backend({.device = "cpu"}).target.fuse_layer_grads);
}

TEST_CASE("fuse_layer_grads: layers of unlike padding are unlike problems, whose plans autotune keeps apart") {
  const auto step = [](int64_t pad) {
    Network net;
    const Value g = net.weight("g", {2, 5, 5, 8}), w = net.weight("w", {8, 3, 3, 8}), x = net.weight("x", {2, 6, 6, 8});
    const Conv2dShape s{.N = 2, .H = 6, .W = 6, .C = 8, .K = 8, .R = 3, .S = 3, .P = 5, .Q = 5, .pad_top = pad, .pad_left = 1};
    net.graph.output("dx", conv2d_input_grad(g, w, s));
    net.graph.output("dw", conv2d_filter_grad(x, g, s));
    return std::move(net.graph);
  };
  const Provider* const emulated[] = {&emulated::provider()};
  const Target target{.fuse_layer_grads = true};
  double now = 1000;
  const PlanTimer clock = [&](const NodeView&, const PreparedKernel&) { return --now; };
  const Graph graph = step(0);
  Tuning tuning = autotune(graph, emulated, target, {}, clock);
  REQUIRE(tuning.size() == 1);
  CHECK(autotune(step(1), emulated, target, tuning, clock).size() == 2);
  // Timed plans are followed; others are refused.
  Target tuned = target;
  tuned.tuning = std::make_shared<const Tuning>(tuning);
  const Program program = compile(graph, emulated, tuned);
  REQUIRE(program.launches.size() == 1);
  CHECK(program.launches[0].choice.kernel->name == "layer_grads_ffma");
  tuning.begin()->second = "small 1 0 4, large 1 0 4";
  tuned.tuning = std::make_shared<const Tuning>(tuning);
  CHECK_THROWS_WITH_AS(compile(graph, emulated, tuned), doctest::Contains("is no plan"), DataError);
}
