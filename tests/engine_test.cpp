// The graph, its gradients and its rewrites.
#include <doctest/doctest.h>

#include "engine/autodiff/gradients.h"
#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"
#include "engine/passes/passes.h"
#include "engine/runtime/session.h"

using namespace forger;

namespace {

const Provider* const kReference[] = {&reference_provider()};

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "";
}

int count_ops(const Graph& graph, std::string_view op) {
  int n = 0;
  for (const Node& node : graph.nodes()) n += node.op->name == op;
  return n;
}

/// Runs a graph without inputs and returns output "y".
std::vector<double> run(const Graph& graph, std::span<const Pass> passes) {
  VariableStore variables(host_device());
  Session session(compile(graph, kReference, {}, passes), variables, 3);
  session.run();
  return session.output("y");
}

}  // namespace

TEST_CASE("graph: shape errors name the node's path, what was found and what was expected") {
  Graph g;
  const Value x = g.input("x", {DType::f32, {2, 8, 8, 3}}), w = g.input("w", {DType::f32, {4, 3, 3, 5}});
  const PathScope scope(g, "D");
  const PathScope inner(g, "conv2d_1");
  const std::string e = error_of([&] { conv2d(x, w, 1, Padding::same); });
  CHECK(e.find("D/conv2d_1/conv2d:") == 0);
  CHECK(e.find("f32[4,3,3,5], expected f32[4,3,3,3]") != std::string::npos);
  CHECK(error_of([&] { add(x, w); }).find("D/conv2d_1/add:") == 0);
  CHECK(error_of([&] { matmul(x, w); }).find("expected 2 axes") != std::string::npos);
}

TEST_CASE("graph: a value of another graph, a missing value and a second variable of one name are refused") {
  Graph g, other;
  const Value x = g.input("x", {DType::f32, {2}}), y = other.input("y", {DType::f32, {2}});
  CHECK(error_of([&] { add(x, y); }).find("another graph") != std::string::npos);
  const Value missing[] = {x, Value{}};
  CHECK(error_of([&] { g.add(find_op("add"), missing); }).find("missing") != std::string::npos);
  g.variable("v", {DType::f32, {2}}, Initializer::zeros());
  CHECK(error_of([&] { g.variable("v", {DType::f32, {2}}, Initializer::zeros()); }).find("v:") == 0);
}

TEST_CASE("graph: an update must have its variable's type") {
  Graph g;
  const Value v = g.variable("v", {DType::f32, {2}}, Initializer::zeros());
  CHECK(error_of([&] { g.update("v", reduce_sum(v, {0})); }) == "v: its update has type f32[], expected f32[2]");
}

TEST_CASE("gradients: a loss that is no scalar or does not depend on a value is refused") {
  Graph g;
  const Value x = g.input("x", {DType::f32, {3}}), y = g.input("y", {DType::f32, {3}});
  const Value wrt[] = {y};
  CHECK(error_of([&] { gradients(x, wrt); }).find("scalar") != std::string::npos);
  CHECK(error_of([&] { gradients(mean_all(x), wrt); }).find("does not depend on y") != std::string::npos);
}

TEST_CASE("gradients: an optimizer's update is a barrier") {
  // L = sum(d' * g) with d' = d - lr * dLd/dd and Ld = sum(d^2 g) / 2: without the barrier, dL/dg would also contain
  // the path through d', -lr * d g.
  for (const bool with_adam : {true, false}) {
    Graph graph(DType::f64);
    const Value g = graph.variable("g", {DType::f64, {4}}, Initializer::uniform(1, 2));
    const Value d = graph.variable("d", {DType::f64, {4}}, Initializer::uniform(1, 2));
    const Value lr = graph.variable("lr", {DType::f64, {}}, Initializer::constant(0.1));
    const Value zeros = graph.variable("slot", {DType::f64, {4}}, Initializer::zeros());
    const Value t = graph.variable("t", {DType::i64, {}}, Initializer::ones());
    const Value d_loss = scale(reduce_sum(mul(square(d), g), {0}), 0.5);
    const Value p[] = {d}, slot[] = {zeros};
    const auto grad = gradients(d_loss, p);
    const Value updated = with_adam ? adam(t, lr, p, grad, slot, slot, 0.5, 0.9, 1e-7).parameters[0]
                                    : sgd_momentum(lr, p, grad, slot, 0.0).parameters[0];
    const Value wrt[] = {g};
    const Value dg = gradients(reduce_sum(mul(updated, g), {0}), wrt)[0];
    graph.output("y", sub(dg, updated));  // the only path left: dL/dg = d'
    for (const double v : run(graph, default_passes())) CHECK(v == 0.0);
  }
}

TEST_CASE("gradients: only paths to the asked-for values get nodes") {
  Graph g;
  const Value x = g.input("x", {DType::f32, {1, 8, 8, 2}}), w = g.input("w", {DType::f32, {2, 3, 3, 2}});
  const Value wrt[] = {w};
  gradients(mean_all(conv2d(x, w, 1, Padding::same)), wrt);
  CHECK(count_ops(g, "conv2d_filter_grad") == 1);
  CHECK(count_ops(g, "conv2d_input_grad") == 0);
}

TEST_CASE("passes: dead code goes, common subexpressions become one, random draws stay apart") {
  Graph g;
  const Value seed = g.variable("seed", {DType::u64, {}}, Initializer::zeros());
  const Value step = g.variable("step", {DType::i64, {}}, Initializer::zeros());
  const Value x = random_normal(seed, step, 0, 1, {5}), z = random_normal(seed, step, 0, 1, {5});
  const Value a = tanh(x), b = tanh(x);
  relu(a);  // dead
  g.output("y", add(mul(a, b), z));
  const Graph smaller = dce(cse(g));
  CHECK(count_ops(smaller, "tanh") == 1);
  CHECK(count_ops(smaller, "relu") == 0);
  CHECK(count_ops(smaller, "random_normal") == 2);
  CHECK(run(g, {}) == run(smaller, {}));
}

TEST_CASE("passes: backpropagation's multiplication by one disappears") {
  Graph g;
  const Value x = g.variable("x", {DType::f32, {4, 1}}, Initializer::uniform(-1, 1));
  const Value loss = bce_with_logits(x, fill(g, 1.0, {4, 1}));
  const Value wrt[] = {x};
  g.output("y", gradients(loss, wrt)[0]);
  const Graph after = dce(simplify(g));
  CHECK(count_ops(after, "mul") == 0);
  CHECK(run(g, {}) == run(after, {}));
}

TEST_CASE("passes: bias joins its convolution only if nothing else reads the sum") {
  for (const bool shared : {false, true}) {
    Graph g;
    const Value x = g.variable("x", {DType::f32, {1, 5, 5, 2}}, Initializer::uniform(-1, 1));
    const Value w = g.variable("w", {DType::f32, {3, 3, 3, 2}}, Initializer::uniform(-1, 1));
    const Value b = g.variable("b", {DType::f32, {3}}, Initializer::uniform(-1, 1));
    const Value sum = conv2d(x, w, 1, Padding::same);
    const Value y = bias_add(sum, b);
    g.output("y", shared ? add(y, sum) : y);
    const Graph fused = fuse_bias(g);
    CHECK(count_ops(fused, "bias_add") == (shared ? 1 : 0));
    const auto before = run(g, {}), after = run(fused, {});
    for (size_t i = 0; i < before.size(); ++i) CHECK(before[i] == doctest::Approx(after[i]));
  }
}

TEST_CASE("passes: an elementwise tree with broadcasts becomes one node of the same value") {
  Graph g;
  const Value x = g.variable("x", {DType::f32, {2, 3, 4}}, Initializer::uniform(-1, 1));
  const Value c = g.variable("c", {DType::f32, {4}}, Initializer::uniform(-1, 1));
  const Value s = g.variable("s", {DType::f32, {}}, Initializer::uniform(1, 2));
  const Value centred = sub(x, broadcast_to(c, x.shape()));
  const Value y = mul(tanh(centred), broadcast_to(s, x.shape()));
  g.output("y", add(y, square(x)));
  const Graph fused = dce(fuse_elementwise(g));
  CHECK(count_ops(fused, "fused_elementwise") == 1);
  CHECK(count_ops(fused, "broadcast_to") == 0);
  CHECK(run(g, {}) == run(fused, {}));
}

TEST_CASE("passes: a value with two readers is not computed twice") {
  Graph g;
  const Value x = g.variable("x", {DType::f32, {9}}, Initializer::uniform(-1, 1));
  const Value t = tanh(x);
  g.output("y", add(square(t), reduce_sum(broadcast_to(reduce_sum(t, {0}), {1, 9}), {0})));
  const Graph fused = fuse_elementwise(g);
  CHECK(count_ops(fused, "tanh") == 1);
  CHECK(run(g, {}) == run(fused, {}));
}

TEST_CASE("passes: dropout joins elementwise trees, with its own bits, if seed and step are the tree's") {
  Graph g;
  const Value seed = g.variable("seed", {DType::u64, {}}, Initializer::constant(3));
  const Value other = g.variable("other", {DType::u64, {}}, Initializer::constant(4));
  const Value step = g.variable("step", {DType::i64, {}}, Initializer::constant(2));
  const Value x = g.variable("x", {DType::f32, {6, 7}}, Initializer::uniform(-1, 1));
  const Value a = dropout(leaky_relu(x, 0.2), seed, step, 0.25);
  const Value b = dropout(tanh(x), seed, step, 0.5);
  const Value c = dropout(a, other, step, 0.5);
  g.output("y", add(mul(a, b), c));
  const Graph fused = fuse_elementwise(g);
  // a has two readers; b joins the sum, which c with its other seed does not.
  CHECK(count_ops(fused, "fused_elementwise") == 2);
  CHECK(count_ops(fused, "dropout") == 1);
  CHECK(count_ops(fused, "tanh") == 0);
  CHECK(run(g, {}) == run(fused, {}));

  Graph second;  // the gradient of a gradient's square: both draw the same mask again
  const Value s = second.variable("seed", {DType::u64, {}}, Initializer::constant(3));
  const Value t = second.variable("step", {DType::i64, {}}, Initializer::zeros());
  const Value z = second.variable("z", {DType::f32, {5, 9}}, Initializer::uniform(-1, 1));
  const Value wrt[] = {z};
  const Value gradient = gradients(reduce_sum(dropout(square(tanh(z)), s, t, 0.3), {0, 1}), wrt)[0];
  second.output("y", gradients(reduce_sum(square(gradient), {0, 1}), wrt)[0]);
  const Graph tapes = dce(fuse_elementwise(second));
  CHECK(count_ops(tapes, "dropout") < count_ops(second, "dropout"));
  CHECK(run(second, {}) == run(tapes, {}));
}

TEST_CASE("session: unbound inputs and unknown names are named") {
  Graph g;
  g.output("y", scale(g.input("x", {DType::f32, {2}}), 2));
  VariableStore variables(host_device());
  Session session(compile(g, kReference), variables, 0);
  CHECK(error_of([&] { session.run(); }) == "input 'x' is not bound");
  CHECK(error_of([&] { session.bind("z", nullptr); }).find("'z'") != std::string::npos);
  CHECK(error_of([&] { (void)session.output("loss"); }).find("'loss'") != std::string::npos);
}

TEST_CASE("session: run_checked names the first node that is not finite") {
  Graph g;
  const Value x = g.variable("x", {DType::f32, {2}}, Initializer::constant(-1));
  const PathScope scope(g, "G");
  g.output("y", scale(reduce_sum(unary(ScalarOp::log, x), {0}), 2));
  for (const bool fused : {false, true}) {
    VariableStore variables(host_device());
    Session session(fused ? compile(g, kReference) : compile(g, kReference, {}, {}), variables, 0);
    // Of a program, the first node whose result leaves it.
    CHECK(session.run_checked() == (fused ? "G/scale" : "G/log"));
  }
}

TEST_CASE("providers: unknown names are refused with the known ones, declined kernels say why") {
  CHECK(error_of([] { parse_providers("onednn,cudnn"); }).find("'cudnn'; known: onednn, reference") != std::string::npos);
  Graph g(DType::f64);
  matmul(g.input("a", {DType::f64, {2, 3}}), g.input("b", {DType::f64, {3, 2}}));
  const Provider* const both[] = {&onednn_provider(), &reference_provider()};
  const Choice choice = choose_kernel(NodeView(g, g.nodes().back()), both);
  CHECK(choice.provider == &reference_provider());
  REQUIRE(choice.declined.size() >= 1);
  CHECK(choice.declined[0].find("f64, expected f32") != std::string::npos);
}
