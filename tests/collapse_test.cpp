// A transposed convolution and the convolution behind it as one: against the two, in double.
#include <doctest/doctest.h>

#include "engine/autodiff/gradients.h"
#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"
#include "engine/passes/passes.h"
#include "engine/runtime/session.h"
#include "models/collapse.h"

using namespace forger;

namespace {

struct Pair {
  int64_t n, h, w, ci, cm, co, stride, t_taps, c_taps;
};

/// A loss of conv2d(transposed convolution), its gradients, and a second-order loss of them. Outputs by name.
Graph build(const Pair& p, bool collapse) {
  Graph g(DType::f64);
  const Value x = g.variable("x", {DType::f64, {p.n, p.h, p.w, p.ci}}, Initializer::normal(0, 1));
  const Value t = g.variable("T", {DType::f64, {p.ci, p.t_taps, p.t_taps, p.cm}}, Initializer::normal(0, 1));
  const Value tb = g.variable("t", {DType::f64, {p.cm}}, Initializer::normal(0, 1));
  const Value c = g.variable("C", {DType::f64, {p.co, p.c_taps, p.c_taps, p.cm}}, Initializer::normal(0, 1));
  const Value u = bias_add(conv2d_transpose(x, t, p.stride, p.h * p.stride, p.w * p.stride), tb);
  const Value y = collapse ? collapsed_conv2d(u, c) : conv2d(u, c, 1, Padding::same);
  REQUIRE(y);
  const Value bent = unary(ScalarOp::tanh, scale(y, 0.05));  // so that second derivatives are not zero
  const Value wrt[] = {x, t, tb, c};
  const auto d = gradients(mean_all(square(bent)), wrt);
  Value penalty = mean_all(square(d[0]));
  for (size_t i = 1; i < 4; ++i) penalty = add(penalty, mean_all(square(d[i])));
  const auto dd = gradients(penalty, wrt);
  g.output("y", y);
  const char* names[] = {"x", "T", "t", "C"};
  for (size_t i = 0; i < 4; ++i) {
    g.output(std::string("d") + names[i], d[i]);
    g.output(std::string("dd") + names[i], dd[i]);
  }
  return g;
}

std::map<std::string, std::vector<double>> run(const Graph& graph) {
  const Provider* const reference[] = {&reference_provider()};
  VariableStore variables(host_device());
  Session session(compile(graph, reference), variables, 3);
  session.run();
  std::map<std::string, std::vector<double>> all;
  for (const auto& [name, id] : graph.outputs()) all[name] = session.output(name);
  return all;
}

int count_ops(const Graph& graph, std::string_view op) {
  int n = 0;
  for (const Node& node : graph.nodes()) n += node.op->name == op;
  return n;
}

}  // namespace

TEST_CASE("collapse: values and gradients of first and second order are those of the two convolutions, in double") {
  // The seed's sizes in small, and filters and strides that leave other borders: none, several rows, after alone.
  const Pair pairs[] = {{2, 4, 4, 3, 4, 2, 2, 4, 4}, {2, 3, 5, 2, 3, 3, 2, 5, 3}, {1, 4, 3, 2, 2, 2, 3, 5, 5},
                        {2, 3, 3, 2, 2, 1, 2, 2, 4}, {1, 5, 4, 2, 3, 2, 1, 3, 6}, {1, 2, 2, 1, 1, 1, 2, 7, 7}};
  for (const Pair& p : pairs) {
    CAPTURE(p.stride);
    CAPTURE(p.t_taps);
    CAPTURE(p.c_taps);
    const auto two = run(build(p, false)), one = run(build(p, true));
    for (const auto& [name, expected] : two) {
      CAPTURE(name);
      const auto& found = one.at(name);
      REQUIRE(found.size() == expected.size());
      double largest = 0, error = 0;
      for (size_t i = 0; i < expected.size(); ++i) {
        largest = std::max(largest, std::abs(expected[i]));
        error = std::max(error, std::abs(expected[i] - found[i]));
      }
      CHECK(largest > 0);
      CHECK(error <= 1e-13 * largest);
    }
  }
}

TEST_CASE("collapse: the intermediate image is gone, and so are sums with padded strips") {
  const Graph graph = build({2, 4, 4, 3, 4, 2, 2, 4, 4}, true);
  const Provider* const reference[] = {&reference_provider()};
  const Program program = compile(graph, reference);
  CHECK(count_ops(graph, "pad") > 0);
  CHECK(count_ops(program.graph, "window_add") > 0);
  for (const Node& node : program.graph.nodes()) {
    // No value has the shape of the intermediate image of all samples.
    for (ValueId id : node.outputs) CHECK(program.graph.type(id).shape != Shape{2, 8, 8, 4});
  }
}

TEST_CASE("collapse: anything else in front of the convolution is left alone") {
  Graph g;
  const Value x = g.input("x", {DType::f32, {1, 4, 4, 2}}), t = g.input("t", {DType::f32, {2, 4, 4, 2}});
  const Value c = g.input("c", {DType::f32, {2, 4, 4, 2}}), narrow = g.input("narrow", {DType::f32, {2, 1, 1, 2}});
  CHECK_FALSE(collapsed_conv2d(x, c));
  CHECK_FALSE(collapsed_conv2d(unary(ScalarOp::relu, conv2d_transpose(x, t, 2, 8, 8)), c));
  CHECK_FALSE(collapsed_conv2d(conv2d_transpose(x, narrow, 2, 8, 8), c));
  CHECK(collapsed_conv2d(conv2d_transpose(x, t, 2, 8, 8), c));
}
