#include "engine/autodiff/gradients.h"
#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"
#include "tests/cases/case.h"

namespace forger {

namespace {

using Values = std::vector<Value>;

/// A case whose node runs what `build` appends; the values that it returns are the outputs. `parallel`: the attribute.
Case program_case(std::string name, std::vector<CaseInput> inputs, std::function<Values(const Values&)> build,
                  bool parallel = false) {
  return {.op = "block_program",
          .name = std::move(name),
          .inputs = std::move(inputs),
          .build =
              [build = std::move(build), parallel](std::span<const Value> v) {
                Graph program(v[0].graph().real());
                Values inside;
                for (size_t i = 0; i < v.size(); ++i) inside.push_back(program.input(std::to_string(i), v[i].type()));
                const Values outputs = build(inside);
                for (size_t i = 0; i < outputs.size(); ++i) program.output(std::to_string(i), outputs[i]);
                Attributes attributes{{"program", Subgraph{std::make_shared<const Graph>(std::move(program))}}};
                if (parallel) attributes.set("together", int64_t{1});
                v[0].graph().add(find_op("block_program"), v, std::move(attributes));
              },
          .check_gradients = false};
}

const CaseInput kSeed{{}, CaseInput::Kind::seed}, kStep{{}, CaseInput::Kind::step};

Value total(Value x) {
  return mean_all(x);
}

/// What starts a step: noise, rows, counters.
Values draw(const Values& v) {
  const Value z = random_normal(v[0], v[1], 0.5, 2, {7, 13}), labels = random_normal(v[0], v[1], 1, 0.1, {33, 1});
  const Value rows = random_indices(v[0], v[1], {.count = 9, .population = 6});
  const Value epoch = random_indices(v[0], v[1], {.count = 33, .population = 50, .replacement = false});
  const Value once = increment(v[2]), masked = dropout(v[3], v[0], v[1], 0.25);
  return {z,
          labels,
          rows,
          epoch,
          random_uniform(v[0], v[1], -1, 1, {5}),
          fill(z.graph(), 0.25, {6}),
          once,
          increment(once),
          masked,
          gather(v[4], rows)};
}

/// The end of D's forward pass and the start of its backward pass.
Values loss_and_metrics(const Values& v) {
  const Value logits = v[0], labels = random_normal(v[1], v[2], 0.9, 0.1, logits.shape());
  const Value loss = bce_with_logits(logits, labels);
  const Value wrt[] = {logits};
  const Value gradient = gradients(loss, wrt)[0];
  const Value right = total(unary(ScalarOp::heaviside, logits)), mean = total(sigmoid(logits));
  const Value accuracy = scale(shift(neg(right), 1.0), 0.5);
  return {loss, gradient, reduce_sum(gradient, {0}), accuracy, mean, increment(v[2])};
}

/// A product in front of them: [n,k] x [k,1], bias.
Values head(const Values& v) {
  const Value operands[] = {v[0], v[1], v[2]};
  const Value logits =
      v[0].graph().add(find_op("matmul"), operands, {{"transpose_a", int64_t{0}}, {"transpose_b", int64_t{0}}})[0];
  Values outputs = loss_and_metrics({logits, v[3], v[4]});
  outputs.push_back(logits);
  return outputs;
}

/// Sums, broadcasts and views of [a,b,c].
Values sums(const Values& v) {
  const Value x = v[0], row = reduce_sum(x, {0}), column = reduce_sum(x, {2}), middle = reduce_sum(x, {1});
  const Value flat = reshape(tanh(x), {x.type().size()});
  const Value by_row = broadcast_to(reduce_sum(x, {1, 2}, true), x.shape());
  const Value by_column = broadcast_to(reduce_sum(x, {0, 1}), x.shape());
  return {row,
          column,
          middle,
          mul(sub(by_row, by_column), x),
          scale(flat, 3),
          total(square(flat)),
          reshape(unary(ScalarOp::exp, x), {x.type().size()})};
}

/// First and second derivatives, as penalties on gradients have them.
Values penalty(const Values& v) {
  const Value x = v[0], y = total(mul(tanh(mul(x, v[1])), softplus(x)));
  const Value wrt[] = {x}, weights[] = {v[1], x};
  const Value slope = gradients(y, wrt)[0];
  const Value norm = unary(ScalarOp::sqrt, shift(reduce_sum(square(slope), {1}), 1e-3));
  const auto second = gradients(total(square(shift(norm, -1))), weights);
  return {y, slope, norm, second[0], second[1]};
}

/// Longer than a launch's list, values larger than shared memory.
Values long_chain(const Values& v) {
  Value x = v[0], other = v[1];
  for (int i = 0; i < 50; ++i) {
    const Value sum = scale(add(tanh(x), other), 0.7);
    other = x;
    x = sum;
  }
  return {total(x), x, other, increment(v[2])};
}

Values large(const Values& v) {
  const Value a = tanh(v[0]), b = square(a), c = unary(ScalarOp::exp, b), d = sub(a, c);
  return {total(mul(d, b)), total(c), reduce_sum(reshape(d, {75, 69}), {0})};
}

/// Both gradients of x w: inputs x, w, dy.
Values vector_gradients(const Values& v) {
  return {matmul(v[0], v[2], true, false), matmul(v[2], v[1], false, true)};
}

/// Which gradients of which layer, by its two operations.
struct LayerCase {
  std::string name;
  Shape x, w, y;
  std::function<Value(Value, Value)> input_grad, filter_grad;  // of (g, w) and (x, g)
  bool of_input = true, of_bias = true, epilogue = false;
};

LayerCase convolution(const Conv2dShape& s) {
  return {.name = "a convolution",
          .x = {s.N, s.H, s.W, s.C},
          .w = {s.K, s.R, s.S, s.C},
          .y = {s.N, s.P, s.Q, s.K},
          .input_grad = [s](Value g, Value w) { return conv2d_input_grad(g, w, s); },
          .filter_grad = [s](Value x, Value g) { return conv2d_filter_grad(x, g, s); }};
}
LayerCase transposed(const Conv2dShape& s) {
  return {.name = "a transposed convolution",
          .x = {s.N, s.P, s.Q, s.K},
          .w = {s.K, s.R, s.S, s.C},
          .y = {s.N, s.H, s.W, s.C},
          .input_grad = [s](Value g, Value w) { return conv2d(g, w, s); },
          .filter_grad = [s](Value x, Value g) { return conv2d_filter_grad(g, x, s); }};
}
LayerCase dense(int64_t batch, int64_t in, int64_t out) {
  return {.name = "a dense layer",
          .x = {batch, in},
          .w = {in, out},
          .y = {batch, out},
          .input_grad = [](Value g, Value w) { return matmul(g, w, false, true); },
          .filter_grad = [](Value x, Value g) { return matmul(x, g, true, false); }};
}

/// dx with dropout and a slope that is read off an operand: inputs g, w, that operand, seed, step.
Value with_slope(const LayerCase& c, const Values& v) {
  Graph alone(v[0].graph().real());
  c.input_grad(alone.input("g", v[0].type()), alone.input("w", v[1].type()));
  const Node& node = alone.nodes().back();
  Attributes attributes = node.attributes;
  attributes.set(
      "epilogue",
      ElementwiseTape{2, {{ScalarOp::dropout, 0, 0, 0.25, 7}, {ScalarOp::leaky_slope, 1, 0, 0.2}, {ScalarOp::mul, 2, 3}}});
  return v[0].graph().add(*node.op, v, std::move(attributes))[0];
}

/// Inputs g, w, x, and those of an epilogue of dx.
void add_layer_grads(std::vector<Case>& cases, const LayerCase& c) {
  const auto build = [c](const Values& v) {
    Values outputs;
    if (c.of_input) outputs.push_back(c.epilogue ? with_slope(c, {v[0], v[1], v[3], v[4], v[5]}) : c.input_grad(v[0], v[1]));
    outputs.push_back(c.filter_grad(v[2], v[0]));
    std::vector<int64_t> axes;
    for (size_t i = 0; i + 1 < c.y.size(); ++i) axes.push_back(static_cast<int64_t>(i));
    if (c.of_bias) outputs.push_back(reduce_sum(v[0], axes));
    return outputs;
  };
  std::vector<CaseInput> inputs = {{c.y}, {c.w}, {c.x}};
  if (c.epilogue) inputs.insert(inputs.end(), {{c.x}, kSeed, kStep});
  const std::string name = fmt::format("gradients of {} {}{}{}{}", c.name, to_string(c.w), c.of_input ? ", input" : "",
                                       c.of_bias ? ", bias" : "", c.epilogue ? ", epilogue" : "");
  Case result = program_case(name, inputs, build, true);
  result.exact_on_integers = !c.epilogue;
  cases.push_back(result);
}

void add_layer_cases(std::vector<Case>& cases) {
  const Conv2dShape stride2{.N = 2,
                            .H = 7,
                            .W = 8,
                            .C = 20,
                            .K = 24,
                            .R = 4,
                            .S = 3,
                            .P = 4,
                            .Q = 4,
                            .stride_h = 2,
                            .stride_w = 2,
                            .pad_top = 1,
                            .pad_left = 0};
  const Conv2dShape stride1{.N = 2, .H = 6, .W = 5, .C = 8, .K = 68, .R = 3, .S = 3, .P = 6, .Q = 5, .pad_top = 1, .pad_left = 1};
  for (const LayerCase& layer : {convolution(stride2), convolution(stride1), transposed(stride2), transposed(stride1),
                                 dense(33, 20, 72), dense(6, 128, 8)}) {
    LayerCase c = layer;
    add_layer_grads(cases, c);
    c.epilogue = true;
    add_layer_grads(cases, c);
    c.of_bias = false;
    add_layer_grads(cases, c);
    c = layer;
    c.of_input = false;
    add_layer_grads(cases, c);
  }
  // Channels enough for the large tiles of every arithmetic.
  for (const int64_t channels : {128, 64}) {
    add_layer_grads(cases, convolution({.N = 2, .H = 8, .W = 8, .C = channels, .K = 128, .R = 1, .S = 1, .P = 8, .Q = 8}));
  }
  // Few channels: filter and bias alone; and what no kernel joins.
  LayerCase image = convolution({.N = 2,
                                 .H = 9,
                                 .W = 9,
                                 .C = 1,
                                 .K = 32,
                                 .R = 3,
                                 .S = 3,
                                 .P = 5,
                                 .Q = 5,
                                 .stride_h = 2,
                                 .stride_w = 2,
                                 .pad_top = 1,
                                 .pad_left = 1});
  add_layer_grads(cases, image);
  image.of_input = false;
  add_layer_grads(cases, image);
  LayerCase pixels =
      convolution({.N = 2, .H = 6, .W = 9, .C = 40, .K = 3, .R = 7, .S = 7, .P = 6, .Q = 9, .pad_top = 3, .pad_left = 3});
  pixels.of_input = false;
  add_layer_grads(cases, pixels);
  add_layer_grads(cases, convolution({.N = 1, .H = 5, .W = 5, .C = 6, .K = 10, .R = 3, .S = 3, .P = 3, .Q = 3}));
}

/// A fused tape that draws: x, seed, step.
Values drawing_tape(const Values& v) {
  const ElementwiseTape tape{
      2, {{ScalarOp::tanh, 0}, {ScalarOp::dropout, 2, 0, 0.25, 7}, {ScalarOp::mul, 3, 1}, {ScalarOp::dropout, 4, 0, 0.5, 8}}};
  const Value inputs[] = {v[0], v[1], v[2], v[3]};
  const Value y = v[0].graph().add(find_op("fused_elementwise"), inputs, {{"tape", tape}, {"shape", v[0].shape()}})[0];
  return {y, total(y), increment(v[3])};
}

}  // namespace

void add_program_cases(std::vector<Case>& cases) {
  cases.push_back(program_case("noise, rows, counters", {kSeed, kStep, kStep, {{3, 5}}, {{6, 3}}}, draw));
  for (const int64_t n : {1, 32, 33, 600, 1024}) {
    const CaseInput logits{{n, 1}, CaseInput::Kind::real, -9, 9};
    cases.push_back(program_case(fmt::format("loss and metrics of {}", n), {logits, kSeed, kStep}, loss_and_metrics));
  }
  for (const auto& [n, k] : {std::pair<int64_t, int64_t>{1, 7}, {33, 70}, {5, 1031}}) {
    const std::vector<CaseInput> inputs = {{{n, k}}, {{k, 1}}, {{1}}, kSeed, kStep};
    cases.push_back(program_case(fmt::format("head of [{},{}]", n, k), inputs, head));
  }
  for (const auto& [m, k] : {std::pair<int64_t, int64_t>{1, 5}, {33, 70}, {70, 33}, {2, 1000}}) {
    Case c =
        program_case(fmt::format("gradients of [{},{}] times a vector", m, k), {{{m, k}}, {{k, 1}}, {{m, 1}}}, vector_gradients);
    c.exact_on_integers = true;
    cases.push_back(c);
  }
  add_layer_cases(cases);
  for (const Shape& shape : {Shape{3, 4, 5}, Shape{1, 1, 9}, Shape{2, 33, 8}, Shape{5, 2, 601}}) {
    cases.push_back(program_case("sums of " + to_string(shape), {{shape}}, sums));
  }
  cases.push_back(program_case("second derivatives", {{{6, 7}}, {{6, 7}}}, penalty));
  cases.push_back(program_case("a tape with dropout", {{{5, 7}}, {{7}}, kSeed, kStep}, drawing_tape));
  cases.push_back(program_case("a long chain", {{{77}}, {{77}}, kStep}, long_chain));
  cases.push_back(program_case("values beyond shared memory", {{{5175}}}, large));
  cases.push_back(program_case("an operation that no block knows", {{{5, 7}}}, [](const Values& v) -> Values {
    return {softmax(scale(v[0], 2)), total(v[0])};
  }));
}

}  // namespace forger
