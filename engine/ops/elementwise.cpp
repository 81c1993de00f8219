// Scalar operations applied element by element: one spec each, all from the ScalarOp table, and their fusion.
#include <array>

#include "engine/ops/common.h"

namespace forger {
namespace {

const ScalarOp& scalar_of(const Node& node) {
  return *scalar_op_of(*node.op);
}

std::vector<TensorType> infer_scalar(const InferContext& c) {
  const bool two = is_binary(*scalar_op_of(find_op(c.op)));
  c.require_inputs(two ? 2 : 1);
  c.require_real(0);
  if (two) c.require_same(0, 1);
  return {c.inputs[0]};
}

/// d(loss)/d(inputs). Where it can be, the derivative is written in terms of the output y, so that the input's memory
/// may be overwritten by y.
std::vector<Value> grad_scalar(const GradContext& c) {
  const Value dy = c.cotangents[0], y = c.output(0), a = c.input(0);
  const double p = c.attributes().has("p") ? c.attributes().real("p") : 0.0;
  switch (scalar_of(c.node())) {
    case ScalarOp::add:
      return {dy, dy};
    case ScalarOp::sub:
      return {dy, c.needed[1] ? neg(dy) : Value{}};
    case ScalarOp::mul:
      return {c.needed[0] ? mul(dy, c.input(1)) : Value{}, c.needed[1] ? mul(dy, a) : Value{}};
    case ScalarOp::div:
      return {c.needed[0] ? div(dy, c.input(1)) : Value{}, c.needed[1] ? neg(div(mul(dy, y), c.input(1))) : Value{}};
    case ScalarOp::maximum:
    case ScalarOp::minimum: {
      const Value difference = scalar_of(c.node()) == ScalarOp::maximum ? sub(a, c.input(1)) : sub(c.input(1), a);
      const Value to_a = mul(dy, unary(ScalarOp::heaviside, difference));
      return {to_a, sub(dy, to_a)};
    }
    case ScalarOp::neg:
      return {neg(dy)};
    case ScalarOp::exp:
      return {mul(dy, y)};
    case ScalarOp::log:
      return {div(dy, a)};
    case ScalarOp::sqrt:
      return {scale(div(dy, y), 0.5)};
    case ScalarOp::rsqrt:
      return {scale(mul(dy, mul(y, square(y))), -0.5)};
    case ScalarOp::square:
      return {scale(mul(dy, a), 2.0)};
    case ScalarOp::abs:
      return {mul(dy, unary(ScalarOp::sign, a))};
    case ScalarOp::reciprocal:
      return {neg(mul(dy, square(y)))};
    case ScalarOp::relu:
      return {mul(dy, unary(ScalarOp::heaviside, y))};
    case ScalarOp::leaky_relu:
      return {mul(dy, unary(ScalarOp::leaky_slope, p > 0 ? y : a, p))};
    case ScalarOp::tanh:
      return {mul(dy, shift(neg(square(y)), 1.0))};
    case ScalarOp::sigmoid:
      return {mul(dy, sub(y, square(y)))};
    case ScalarOp::softplus:
      return {mul(dy, sigmoid(a))};
    case ScalarOp::scale:
      return {scale(dy, p)};
    case ScalarOp::shift:
      return {dy};
    case ScalarOp::sign:
    case ScalarOp::heaviside:
    case ScalarOp::leaky_slope:
      return {Value{}};  // constant almost everywhere
    case ScalarOp::dropout:
      break;  // no op by itself
  }
  return {};
}

/// Any input of the output's size may be overwritten.
InPlace in_place_scalar(const Node& node) {
  std::vector<size_t> inputs(node.inputs.size());
  std::iota(inputs.begin(), inputs.end(), 0);
  return {inputs};
}

/// The output's shape is an attribute: every input may be smaller and repeat along the leading axes.
std::vector<TensorType> infer_fused(const InferContext& c) {
  const Shape& shape = c.attributes.list("shape");
  const auto& tape = c.attributes.get<ElementwiseTape>("tape");
  c.require_inputs(tape.num_inputs + (draws_random(tape) ? 2u : 0u));
  if (draws_random(tape)) require_seed_step(c, tape.num_inputs);
  for (size_t i = 0; i < tape.num_inputs; ++i) {
    c.require_real(i);
    require_suffix(c, i, shape);
  }
  return {{c.real, shape}};
}

/// Seed and step stay as they are.
InPlace in_place_fused(const Node& node) {
  std::vector<size_t> inputs(node.attributes.get<ElementwiseTape>("tape").num_inputs);
  std::iota(inputs.begin(), inputs.end(), 0);
  return {inputs};
}

int64_t flops_fused(const Graph& graph, const Node& node) {
  return graph.type(node.outputs[0]).size() *
         static_cast<int64_t>(node.attributes.get<ElementwiseTape>("tape").instructions.size());
}

std::array<OpSpec, kNumScalarOps + 1> make_specs() {
  std::array<OpSpec, kNumScalarOps + 1> specs;
  for (int i = 0; i < kNumScalarOps; ++i) {
    specs[static_cast<size_t>(i)] = {
        .name = name_of(static_cast<ScalarOp>(i)), .infer = infer_scalar, .grad = grad_scalar, .in_place = in_place_scalar};
  }
  specs[kNumScalarOps] = {.name = "fused_elementwise", .infer = infer_fused, .flops = flops_fused, .in_place = in_place_fused};
  return specs;
}

const std::array<OpSpec, kNumScalarOps + 1>& specs() {
  static const auto table = make_specs();
  return table;
}

}  // namespace

void require_suffix(const InferContext& c, size_t i, const Shape& shape) {
  const Shape& s = c.inputs[i].shape;
  c.require(c.inputs[i].size() == 1 || (s.size() <= shape.size() && std::equal(s.rbegin(), s.rend(), shape.rbegin())),
            "input {} is {}, expected a suffix of {}", i, to_string(s), to_string(shape));
}

std::span<const OpSpec> elementwise_specs() {
  return specs();
}

const ScalarOp* scalar_op_of(const OpSpec& op) {
  static const auto numbers = [] {
    std::array<ScalarOp, kNumScalarOps> n{};
    for (int i = 0; i < kNumScalarOps; ++i) n[static_cast<size_t>(i)] = static_cast<ScalarOp>(i);
    return n;
  }();
  const auto index = &op - specs().data();
  return index >= 0 && index < kNumScalarOps ? &numbers[static_cast<size_t>(index)] : nullptr;
}

Value unary(ScalarOp op, Value x, double parameter) {
  const bool takes_parameter =
      op == ScalarOp::leaky_relu || op == ScalarOp::leaky_slope || op == ScalarOp::scale || op == ScalarOp::shift;
  return add_node(name_of(op), {x}, takes_parameter ? Attributes{{"p", parameter}} : Attributes{});
}
Value binary(ScalarOp op, Value a, Value b) {
  return add_node(name_of(op), {a, b});
}
Value add(Value a, Value b) {
  return binary(ScalarOp::add, a, b);
}
Value sub(Value a, Value b) {
  return binary(ScalarOp::sub, a, b);
}
Value mul(Value a, Value b) {
  return binary(ScalarOp::mul, a, b);
}
Value div(Value a, Value b) {
  return binary(ScalarOp::div, a, b);
}
Value neg(Value x) {
  return unary(ScalarOp::neg, x);
}
Value relu(Value x) {
  return unary(ScalarOp::relu, x);
}
Value leaky_relu(Value x, double alpha) {
  return unary(ScalarOp::leaky_relu, x, alpha);
}
Value tanh(Value x) {
  return unary(ScalarOp::tanh, x);
}
Value sigmoid(Value x) {
  return unary(ScalarOp::sigmoid, x);
}
Value softplus(Value x) {
  return unary(ScalarOp::softplus, x);
}
Value square(Value x) {
  return unary(ScalarOp::square, x);
}
Value scale(Value x, double factor) {
  return unary(ScalarOp::scale, x, factor);
}
Value shift(Value x, double offset) {
  return unary(ScalarOp::shift, x, offset);
}

}  // namespace forger
