#include "engine/autodiff/gradients.h"
#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"
#include "tests/cases/case.h"

namespace forger {

namespace {

using Values = std::vector<Value>;

/// A case whose node runs what `build` appends; the values that it returns are the outputs.
Case program_case(std::string name, std::vector<CaseInput> inputs, std::function<Values(const Values&)> build) {
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
                block_program(v, {std::make_shared<const Graph>(std::move(program))});
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
