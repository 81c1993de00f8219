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

void add_tape(std::vector<Case>& cases, std::string name, const Shape& shape, std::vector<CaseInput> inputs,
              std::vector<TapeInstruction> instructions) {
  ElementwiseTape tape{static_cast<uint16_t>(inputs.size()), std::move(instructions)};
  if (draws_random(tape)) {
    inputs.push_back({{}, CaseInput::Kind::seed});
    inputs.push_back({{}, CaseInput::Kind::step});
  }
  cases.push_back({.op = "fused_elementwise",
                   .name = std::move(name),
                   .inputs = std::move(inputs),
                   .build =
                       [tape, shape](std::span<const Value> v) {
                         v[0].graph().add(find_op("fused_elementwise"), v, {{"tape", tape}, {"shape", shape}});
                       },
                   .check_gradients = false});
}

/// Dropout counts elements of the output, whatever its operand is: at vectors' edges, on more than one block, on broadcasts.
void add_dropout_tape_cases(std::vector<Case>& cases) {
  constexpr uint64_t kStream = stream_of("D/dropout"), kOther = stream_of("D/dropout_1");
  for (const Shape& shape : {Shape{1}, Shape{3, 7, 5, 3}, Shape{2, 9, 64}, Shape{40013}}) {
    add_tape(cases, "leaky relu and dropout " + to_string(shape), shape, {{shape}},
             {{ScalarOp::leaky_relu, 0, 0, 0.2}, {ScalarOp::dropout, 1, 0, 0.25, kStream}});
    add_tape(cases, "its gradient " + to_string(shape), shape, {{shape}, {shape}},
             {{ScalarOp::dropout, 0, 0, 0.25, kStream}, {ScalarOp::leaky_slope, 1, 0, 0.2}, {ScalarOp::mul, 2, 3}});
  }
  const Shape rows{37, 6};
  add_tape(cases, "dropout of a row", rows, {{{6}}}, {{ScalarOp::dropout, 0, 0, 0.5, kStream}});
  add_tape(cases, "two dropouts", rows, {{rows}, {{}}},
           {{ScalarOp::dropout, 0, 0, 0.1, kStream}, {ScalarOp::dropout, 1, 0, 0.7, kOther}, {ScalarOp::sub, 2, 3}});
}

/// Tapes of the networks' backward passes, and sizes at which an operand's repetition meets a vector's edge.
void add_tape_cases(std::vector<Case>& cases) {
  const Shape image{3, 14, 14, 32}, odd{3, 5, 5, 7};
  add_tape(cases, "leaky slope " + to_string(image), image, {{image}, {image}},
           {{ScalarOp::leaky_slope, 1, 0, 0.2}, {ScalarOp::mul, 0, 2}});
  add_tape(cases, "tanh slope " + to_string(odd), odd, {{odd}, {odd}},
           {{ScalarOp::square, 1}, {ScalarOp::neg, 2}, {ScalarOp::shift, 3, 0, 1.0}, {ScalarOp::mul, 0, 4}});
  add_tape(cases, "scalar factor", {4099}, {{{4099}}, {{}}}, {{ScalarOp::mul, 0, 1}});
  add_tape(cases, "scalars", {}, {{{}}, {{}}}, {{ScalarOp::neg, 1}, {ScalarOp::shift, 2, 0, 1.0}, {ScalarOp::add, 0, 3}});
  for (const int64_t c : {1, 2, 3, 5, 64, 130}) {
    const Shape shape{70, c};
    add_tape(cases, fmt::format("{} channels", c), shape, {{shape}, {{c}}, {{c}}},
             {{ScalarOp::mul, 0, 1}, {ScalarOp::add, 3, 2}, {ScalarOp::leaky_relu, 4, 0, 0.3}});
  }
  add_tape(cases, "rows of two axes", {9, 5, 6}, {{{5, 6}}, {{9, 5, 6}}}, {{ScalarOp::sub, 1, 0}, {ScalarOp::square, 2}});
  add_tape(cases, "one operand alone", {33, 3}, {{{3}}}, {{ScalarOp::scale, 0, 0, 2.0}});
  // Values that are read again much later, and as many inputs and instructions as the fusing pass makes.
  const Shape wide{5, 67};
  std::vector<CaseInput> inputs;
  std::vector<TapeInstruction> instructions;
  for (int i = 0; i < 12; ++i) inputs.push_back({i % 3 == 0 ? Shape{67} : i % 3 == 1 ? wide : Shape{}});
  for (uint16_t i = 0; i < 24; ++i) {
    const auto b = static_cast<uint16_t>(i < 12 ? 11 - i : i - 2);  // later: results of ten steps before
    instructions.push_back({i % 2 == 0 ? ScalarOp::add : ScalarOp::sub, static_cast<uint16_t>(i == 0 ? 0 : 11 + i), b, 0});
  }
  add_tape(cases, "twelve inputs", wide, inputs, instructions);
  add_tape(cases, "a tree with two arms", wide, {{wide}, {wide}, {wide}, {wide}},
           {{ScalarOp::mul, 0, 1}, {ScalarOp::mul, 2, 3}, {ScalarOp::add, 4, 5}, {ScalarOp::maximum, 4, 6}});
  add_dropout_tape_cases(cases);
}

}  // namespace

void add_elementwise_cases(std::vector<Case>& cases) {
  for (int i = 0; i < kNumScalarOps; ++i) {
    const auto op = static_cast<ScalarOp>(i);
    for (const Shape& shape : {Shape{3, 7, 5, 3}, Shape{1}, Shape{20011}, Shape{4096}}) {
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
  add_tape_cases(cases);
}

}  // namespace forger
