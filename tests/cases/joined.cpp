// Convolutions joined with the batch norm or the sum behind them, as join_batch_norm and join_column_sums make them.
#include "engine/graph/initializer.h"
#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"
#include "tests/cases/case.h"

namespace forger {
namespace {

using Values = std::vector<Value>;
using Build = std::function<Values(const Values&)>;

constexpr uint64_t kStream = stream_of("dropout");

/// A case whose node runs what `build` appends, together; the values that it returns are the outputs.
Case joined_case(std::string name, std::vector<CaseInput> inputs, Build build) {
  return {.op = "block_program",
          .name = std::move(name),
          .inputs = std::move(inputs),
          .build =
              [build = std::move(build)](std::span<const Value> v) {
                Graph program(v[0].graph().real());
                Values inside;
                for (size_t i = 0; i < v.size(); ++i) inside.push_back(program.input(std::to_string(i), v[i].type()));
                const Values outputs = build(inside);
                for (size_t i = 0; i < outputs.size(); ++i) program.output(std::to_string(i), outputs[i]);
                v[0].graph().add(
                    find_op("block_program"), v,
                    {{"program", Subgraph{std::make_shared<const Graph>(std::move(program))}}, {"together", int64_t{1}}});
              },
          .check_gradients = false,
          .atol = 1e-5};
}

/// Of a convolution op on tensors of this shape.
Attributes attributes_of(const Conv2dShape& s) {
  Graph graph;
  conv2d(graph.input("x", {DType::f32, {s.N, s.H, s.W, s.C}}), graph.input("w", {DType::f32, {s.K, s.R, s.S, s.C}}), s);
  return graph.nodes().back().attributes;
}

Conv2dShape same(int64_t n, int64_t h, int64_t w, int64_t c, int64_t k, int64_t size, int64_t stride) {
  Conv2dShape s{.N = n, .H = h, .W = w, .C = c, .K = k, .R = size, .S = size};
  s.P = same_output_size(h, stride);
  s.Q = same_output_size(w, stride);
  s.stride_h = s.stride_w = stride;
  s.pad_top = same_padding_before(h, size, stride);
  s.pad_left = same_padding_before(w, size, stride);
  return s;
}

Values take(const Values& v, size_t first, size_t count) {
  return {v.begin() + static_cast<std::ptrdiff_t>(first), v.begin() + static_cast<std::ptrdiff_t>(first + count)};
}

const CaseInput kSeed{{}, CaseInput::Kind::seed}, kStep{{}, CaseInput::Kind::step};

/// conv2d with statistics and batch_norm_apply: x, w, bias if there is one, running mean and variance, gamma, beta, and the
/// operands of a tape.
Case forward(const std::string& name, const Conv2dShape& s, bool bias, bool tape) {
  const Shape c{s.K}, y{s.N, s.P, s.Q, s.K};
  const CaseInput positive{c, CaseInput::Kind::real, 0.5, 1.5};
  std::vector<CaseInput> inputs = {{{s.N, s.H, s.W, s.C}}, {{s.K, s.R, s.S, s.C}}};
  if (bias) inputs.push_back({c, CaseInput::Kind::real, 2, 5});  // a mean that is large against the deviation
  inputs.insert(inputs.end(), {{c}, positive, positive, {c}});
  if (tape) inputs.insert(inputs.end(), {{y}, kSeed, kStep});
  return joined_case(name + " and its batch norm", inputs, [=](const Values& v) {
    Attributes attributes = attributes_of(s), rest;
    attributes.set("statistics", int64_t{1});
    attributes.set("epsilon", 1e-3);
    attributes.set("momentum", 0.8);
    const size_t operands = bias ? 5 : 4;
    Values results = v[0].graph().add(find_op("conv2d"), take(v, 0, operands), attributes);
    if (tape)
      rest.set("epilogue",
               ElementwiseTape{
                   2, {{ScalarOp::leaky_relu, 0, 0, 0.2}, {ScalarOp::add, 2, 1}, {ScalarOp::dropout, 3, 0, 0.25, kStream}}});
    Values applied = take(results, 0, 3);
    applied.insert(applied.end(), v.begin() + static_cast<std::ptrdiff_t>(operands), v.end());
    results.push_back(v[0].graph().add(find_op("batch_norm_apply"), applied, rest)[0]);
    return results;
  });
}

/// A convolution that gives dy and batch_norm_grad: two operands, of a tape a tensor, one number per channel, seed and step, then
/// x, gamma, mean, inv_std.
Case backward(const std::string& name, const Conv2dShape& s, bool input_grad, bool tape) {
  const Shape c{input_grad ? s.C : s.K};
  const Shape out = input_grad ? Shape{s.N, s.H, s.W, s.C} : Shape{s.N, s.P, s.Q, s.K};
  const Shape in = input_grad ? Shape{s.N, s.P, s.Q, s.K} : Shape{s.N, s.H, s.W, s.C};
  const CaseInput positive{c, CaseInput::Kind::real, 0.5, 1.5};
  std::vector<CaseInput> inputs = {{in}, {{s.K, s.R, s.S, s.C}}};
  if (tape) inputs.insert(inputs.end(), {{out}, positive, kSeed, kStep});
  inputs.insert(inputs.end(), {{out}, positive, {c}, positive});
  return joined_case(name + " and the gradient of its batch norm", inputs, [=](const Values& v) {
    Attributes attributes = attributes_of(s);
    if (tape)
      attributes.set("epilogue", ElementwiseTape{3,
                                                 {{ScalarOp::dropout, 0, 0, 0.25, kStream},
                                                  {ScalarOp::leaky_slope, 1, 0, 0.2},
                                                  {ScalarOp::mul, 3, 4},
                                                  {ScalarOp::mul, 5, 2}}});
    const size_t operands = tape ? 6 : 2;
    Graph& graph = v[0].graph();
    const Value dy = graph.add(find_op(input_grad ? "conv2d_input_grad" : "conv2d"), take(v, 0, operands), attributes)[0];
    const Value all[] = {v[operands], dy, v[operands + 1], v[operands + 2], v[operands + 3]};
    return graph.add(find_op("batch_norm_grad"), all, {{"epsilon", 1e-3}});
  });
}

/// The same and the sum of its rows: two operands, a bias, of a tape a tensor.
Case sums(const std::string& name, const Conv2dShape& s, bool input_grad, bool tape) {
  const int64_t channels = input_grad ? s.C : s.K;
  const Shape out = input_grad ? Shape{s.N, s.H, s.W, s.C} : Shape{s.N, s.P, s.Q, s.K};
  const Shape in = input_grad ? Shape{s.N, s.P, s.Q, s.K} : Shape{s.N, s.H, s.W, s.C};
  std::vector<CaseInput> inputs = {{in}, {{s.K, s.R, s.S, s.C}}, {{channels}}};
  if (tape) inputs.push_back({out});
  Case c = joined_case(name + " and its sums", inputs, [=](const Values& v) {
    Attributes attributes = attributes_of(s);
    if (tape) attributes.set("epilogue", ElementwiseTape{2, {{ScalarOp::add, 0, 1}}});
    const Value y = v[0].graph().add(find_op(input_grad ? "conv2d_input_grad" : "conv2d"), v, attributes)[0];
    return Values{y, reduce_sum(y, {0, 1, 2})};
  });
  c.exact_on_integers = true;
  return c;
}

}  // namespace

void add_joined_cases(std::vector<Case>& cases) {
  const struct {
    const char* name;
    Conv2dShape shape;
  } problems[] = {{"k3 s1", same(2, 9, 10, 12, 132, 3, 1)},
                  {"k4 s2, phases of unequal size", same(3, 9, 7, 68, 20, 4, 2)},
                  {"one image, few channels of output", same(1, 5, 5, 32, 8, 3, 2)},
                  {"k3 s1, long reduction", same(1, 8, 8, 128, 64, 3, 1)},
                  {"tiles enough for groups", same(6, 16, 16, 8, 8, 1, 1)},
                  {"odd channels of input", same(2, 6, 6, 7, 24, 3, 2)}};
  for (const auto& [name, shape] : problems) {
    for (const bool tape : {false, true}) {
      const std::string full = fmt::format("{}{}", name, tape ? ", a tape" : "");
      cases.push_back(forward(full, shape, tape, tape));
      cases.push_back(backward("conv2d " + full, shape, false, tape));
      cases.push_back(backward("conv2d_input_grad " + full, shape, true, tape));
      cases.push_back(sums("conv2d " + full, shape, false, tape));
      cases.push_back(sums("conv2d_input_grad " + full, shape, true, tape));
    }
  }
  // These run one by one: one channel, and more blocks than wait at once in the emulator.
  cases.push_back(forward("one channel", same(2, 6, 6, 1, 12, 3, 1), true, true));
  cases.push_back(backward("conv2d_input_grad one channel", same(2, 6, 6, 1, 12, 3, 2), true, true));
  cases.push_back(sums("conv2d many rows", same(6, 24, 24, 8, 12, 1, 1), false, false));
  cases.push_back(forward("many rows", same(6, 24, 24, 16, 12, 1, 1), true, true));
}

}  // namespace forger
