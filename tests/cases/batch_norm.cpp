#include "engine/graph/initializer.h"
#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"
#include "tests/cases/case.h"

namespace forger {
namespace {

constexpr uint64_t kStream = stream_of("dropout");

/// dropout(leaky_relu(result) + operand), and a gradient's: dropout(result) * leaky_slope(operand) * channel.
ElementwiseTape activation_and_dropout() {
  return {2, {{ScalarOp::leaky_relu, 0, 0, 0.2}, {ScalarOp::add, 2, 1}, {ScalarOp::dropout, 3, 0, 0.25, kStream}}};
}
ElementwiseTape their_gradient() {
  return {3,
          {{ScalarOp::dropout, 0, 0, 0.25, kStream},
           {ScalarOp::leaky_slope, 1, 0, 0.2},
           {ScalarOp::mul, 3, 4},
           {ScalarOp::mul, 5, 2}}};
}

/// Nodes as fuse_batch_norm makes them: with a tape on y, or on dy.
void add_tape_cases(std::vector<Case>& cases, const Shape& shape) {
  const Shape c{shape.back()};
  const CaseInput gamma{c, CaseInput::Kind::real, 0.5, 1.5}, variance{c, CaseInput::Kind::real, 0.5, 2};
  const CaseInput seed{{}, CaseInput::Kind::seed}, step{{}, CaseInput::Kind::step};
  const auto add = [&](const char* op, std::vector<CaseInput> inputs, Attributes attributes) {
    cases.push_back({.op = op,
                     .name = to_string(shape) + " with a tape",
                     .inputs = std::move(inputs),
                     .build = [op, attributes](std::span<const Value> v) { v[0].graph().add(find_op(op), v, attributes); },
                     .check_gradients = false,
                     .atol = 3e-6});
  };
  add("batch_norm_training", {{shape}, gamma, {c}, {c}, variance, {shape}, seed, step},
      {{"epsilon", 1e-3}, {"momentum", 0.8}, {"epilogue", activation_and_dropout()}});
  add("batch_norm_apply", {{shape}, {c}, variance, gamma, {c}, {shape}, seed, step}, {{"epilogue", activation_and_dropout()}});
  add("batch_norm_grad", {{shape}, {shape}, gamma, {c}, variance, {shape}, gamma, seed, step},
      {{"epsilon", 1e-3}, {"prologue", their_gradient()}});
}

}  // namespace

void add_batch_norm_cases(std::vector<Case>& cases) {
  for (const Shape& shape :
       {Shape{4, 7, 7, 16}, Shape{2, 3, 3, 5}, Shape{33, 3}, Shape{2, 1}, Shape{1, 6}, Shape{700, 3}, Shape{700, 5},
        Shape{700, 64}, Shape{700, 130}, Shape{2100, 64}, Shape{2100, 12}, Shape{9000, 4}, Shape{12, 15, 17, 1}}) {
    const Shape c{shape.back()};
    const CaseInput gamma{c, CaseInput::Kind::real, 0.5, 1.5}, variance{c, CaseInput::Kind::real, 0.5, 2};
    const CaseInput offset{shape, CaseInput::Kind::real, 2, 5};  // a mean that is large against the deviation
    const int64_t rows = num_elements(shape) / shape.back();
    const bool large_enough = rows > 2 && rows < 500;
    cases.push_back({.op = "batch_norm_training",
                     .name = to_string(shape),
                     .inputs = {offset, gamma, {c}, {c}, variance},
                     .build = [](std::span<const Value> v) { batch_norm_training(v[0], v[1], v[2], v[3], v[4], 1e-3, 0.8); },
                     .check_gradients = false,
                     .atol = 3e-6});
    cases.push_back({.op = "batch_norm_inference",
                     .name = to_string(shape),
                     .inputs = {{shape}, gamma, {c}, {c}, variance},
                     .build = [](std::span<const Value> v) { batch_norm_inference(v[0], v[1], v[2], v[3], v[4], 1e-3); },
                     .check_gradients = false,
                     .atol = 3e-6});
    cases.push_back({.op = "batch_norm_apply",
                     .name = to_string(shape),
                     .inputs = {{shape}, {c}, variance, gamma, {c}},
                     .build = [](std::span<const Value> v) { v[0].graph().add(find_op("batch_norm_apply"), v); },
                     .check_gradients = false,
                     .atol = 3e-6});
    cases.push_back({.op = "batch_norm_grad",
                     .name = to_string(shape),
                     .inputs = {{shape}, {shape}, gamma, {c}, variance},
                     .build =
                         [](std::span<const Value> v) {
                           v[0].graph().add(find_op("batch_norm_grad"), v, {{"epsilon", 1e-3}});
                         },
                     .check_gradients = false,
                     .atol = 3e-6});
    // The whole layer, differentiated: y alone, since the saved statistics carry no gradient of their own.
    cases.push_back({.op = "batch_norm_training",
                     .name = to_string(shape) + " as a layer",
                     .inputs = {{shape}, gamma, {c}, {c}, variance},
                     .build =
                         [](std::span<const Value> v) {
                           const Value y = batch_norm_training(v[0], v[1], v[2], v[3], v[4], 1e-2, 0.8).y;
                           scale(y, 1.0);
                         },
                     .check_gradients = large_enough,
                     .atol = 3e-6});
  }
  // In registers and in two launches, with columns that are and are not multiples of four.
  for (const Shape& shape : {Shape{4, 7, 7, 16}, Shape{33, 3}, Shape{2100, 12}, Shape{2100, 5}}) add_tape_cases(cases, shape);
}

}  // namespace forger
