#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"
#include "tests/cases/case.h"

namespace forger {
namespace {

/// Where the op is defined and its derivatives exist.
CaseInput domain(ScalarOp op, const Shape& shape) {
  switch (op) {
    case ScalarOp::log:
    case ScalarOp::sqrt:
    case ScalarOp::rsqrt:
    case ScalarOp::reciprocal:
      return {shape, CaseInput::Kind::real, 0.3, 4};
    case ScalarOp::tanh:
    case ScalarOp::sigmoid:
    case ScalarOp::softplus:
      return {shape, CaseInput::Kind::real, -12, 12};
    default:
      return {shape, CaseInput::Kind::real, -3, 3};
  }
}

bool exact(ScalarOp op) {
  switch (op) {
    case ScalarOp::add:
    case ScalarOp::sub:
    case ScalarOp::mul:
    case ScalarOp::maximum:
    case ScalarOp::minimum:
    case ScalarOp::neg:
    case ScalarOp::square:
    case ScalarOp::abs:
    case ScalarOp::sign:
    case ScalarOp::relu:
    case ScalarOp::heaviside:
      return true;
    default:
      return false;
  }
}

}  // namespace

void add_elementwise_cases(std::vector<Case>& cases) {
  for (int i = 0; i < kNumScalarOps; ++i) {
    const auto op = static_cast<ScalarOp>(i);
    for (const Shape& shape : {Shape{3, 7, 5, 3}, Shape{1}, Shape{20011}}) {
      std::vector<CaseInput> inputs{domain(op, shape)};
      if (is_binary(op))
        inputs.push_back(op == ScalarOp::div ? CaseInput{shape, CaseInput::Kind::real, 0.5, 3} : domain(op, shape));
      cases.push_back({.op = name_of(op),
                       .name = to_string(shape),
                       .inputs = inputs,
                       .build = [op](std::span<const Value> v) { is_binary(op) ? binary(op, v[0], v[1]) : unary(op, v[0], 0.2); },
                       .exact_on_integers = exact(op),
                       .check_gradients = shape.size() != 1 || shape[0] == 1});
    }
  }
  // out = tanh((x - mean) * scale + x), with one operand per channel and a scalar.
  const ElementwiseTape tape{
      3, {{ScalarOp::sub, 0, 1, 0}, {ScalarOp::mul, 3, 2, 0}, {ScalarOp::add, 4, 0, 0}, {ScalarOp::tanh, 5, 5, 0}}};
  for (const Shape& shape : {Shape{4, 6, 6, 33}, Shape{2, 5}}) {
    cases.push_back({.op = "fused_elementwise",
                     .name = to_string(shape),
                     .inputs = {{shape}, {{shape.back()}}, {{}}},
                     .build =
                         [tape, shape](std::span<const Value> v) {
                           v[0].graph().add(find_op("fused_elementwise"), v, {{"tape", tape}, {"shape", shape}});
                         },
                     .check_gradients = false});
  }
}

}  // namespace forger
