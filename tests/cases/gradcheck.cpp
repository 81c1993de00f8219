#include <cmath>

#include "engine/autodiff/gradients.h"
#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"
#include "engine/runtime/session.h"
#include "tests/cases/case.h"

namespace forger {
namespace {

/// sum(v * w) with fixed weights w that differ from element to element.
Value project(Value v, const std::string& name) {
  Graph& graph = v.graph();
  const Value w = graph.variable("weights/" + name, v.type(), Initializer::uniform(-1, 1));
  const Value product = mul(v, w);
  return reduce_sum(product, [&] {
    std::vector<int64_t> axes(product.shape().size());
    for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int64_t>(i);
    return axes;
  }());
}

Value sum_of(const std::vector<Value>& values, const std::string& name) {
  Value total;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!values[i] || !is_real(values[i].dtype())) continue;
    const Value part = project(values[i], name + std::to_string(i));
    total = total ? add(total, part) : part;
  }
  return total;
}

/// Builds loss(inputs), its gradients as outputs "g<i>", and compares them with central differences of the loss.
double compare(const Case& c, int order) {
  Graph graph = build_case(c, DType::f64);
  std::vector<Value> inputs, outputs;
  std::vector<size_t> numbers;
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    if (c.inputs[i].kind != CaseInput::Kind::real) continue;
    inputs.push_back(graph.value(graph.nodes()[i].outputs[0]));
    numbers.push_back(i);
  }
  for (ValueId id : graph.nodes().back().outputs) outputs.push_back(graph.value(id));
  Value loss = sum_of(outputs, "first");
  if (order == 2) {
    const Value results[] = {loss}, seeds[] = {fill(graph, 1.0, {})};
    loss = sum_of(gradients(results, seeds, inputs), "second");
    if (!loss) return 0;  // linear in everything
  }
  const Value results[] = {loss}, seeds[] = {fill(graph, 1.0, {})};
  const auto grads = gradients(results, seeds, inputs);
  graph.output("loss", loss);
  for (size_t i = 0; i < grads.size(); ++i) {
    if (grads[i]) graph.output("g" + std::to_string(i), grads[i]);
  }

  VariableStore variables(host_device());
  const Provider* const providers[] = {&reference_provider()};
  Session session(compile(graph, providers), variables, 7);
  auto values = make_inputs(c, Fill::reals);
  std::vector<std::vector<std::byte>> others;  // inputs that are not real numbers
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    if (c.inputs[i].kind == CaseInput::Kind::real) session.bind(std::to_string(i), values[i].data());
  }
  std::vector<std::vector<int32_t>> integers(c.inputs.size());
  static const uint64_t seed = 12345;
  static const int64_t step = 67;
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    const auto kind = c.inputs[i].kind;
    if (kind == CaseInput::Kind::seed) session.bind(std::to_string(i), &seed);
    if (kind == CaseInput::Kind::step) session.bind(std::to_string(i), &step);
    if (kind == CaseInput::Kind::indices || kind == CaseInput::Kind::labels) {
      integers[i].assign(values[i].begin(), values[i].end());
      session.bind(std::to_string(i), integers[i].data());
    }
  }

  session.run();
  double worst = 0;
  constexpr double kStep = 1e-5;
  constexpr size_t kMaxElements = 24;  // of each input, spread over it
  for (size_t i = 0; i < inputs.size(); ++i) {
    std::vector<double>& x = values[numbers[i]];
    session.run();
    const auto analytic = grads[i] ? session.output("g" + std::to_string(i)) : std::vector<double>(x.size(), 0.0);
    const size_t stride = std::max<size_t>(1, x.size() / kMaxElements);
    for (size_t j = 0; j < x.size(); j += stride) {
      const double saved = x[j];
      x[j] = saved + kStep;
      session.run();
      const double up = session.scalar("loss");
      x[j] = saved - kStep;
      session.run();
      const double down = session.scalar("loss");
      x[j] = saved;
      const double numeric = (up - down) / (2 * kStep);
      worst = std::max(worst, std::abs(analytic[j] - numeric) / (1 + std::abs(numeric)));
    }
  }
  return worst;
}

}  // namespace

double gradient_error(const Case& c) {
  return compare(c, 1);
}
double second_gradient_error(const Case& c) {
  return compare(c, 2);
}

}  // namespace forger
