// Random numbers and dropout: Philox, keyed by (seed, stream of the node), counted by (step, element).
#include "engine/ops/common.h"

namespace forger {
namespace {

std::vector<TensorType> infer_random(const InferContext& c) {
  c.require_inputs(2);
  require_seed_step(c, 0);
  for (int64_t extent : c.attributes.list("shape")) c.require(extent > 0, "shape has an extent below 1");
  return {{c.real, c.attributes.list("shape")}};
}

std::vector<TensorType> infer_indices(const InferContext& c) {
  c.require_inputs(2);
  require_seed_step(c, 0);
  const int64_t count = c.attributes.integer("count"), population = c.attributes.integer("population");
  c.require(count > 0 && population > 0 && population < (int64_t{1} << 31), "{} rows of {} cannot be drawn", count, population);
  return {{DType::i32, {count}}};
}

std::vector<TensorType> infer_dropout(const InferContext& c) {
  c.require_inputs(3);
  c.require_real(0);
  require_seed_step(c, 1);
  const double rate = c.attributes.real("rate");
  c.require(rate >= 0 && rate < 1, "dropout's rate is {}, expected 0 <= rate < 1", rate);
  return {c.inputs[0]};
}

/// Dropout is linear in x for a fixed mask: its gradient is itself, with the same stream.
std::vector<Value> grad_dropout(const GradContext& c) {
  const Value inputs[] = {c.cotangents[0], c.input(1), c.input(2)};
  return {c.graph.add(find_op("dropout"), inputs, c.attributes())[0], {}, {}};
}

const OpSpec kSpecs[] = {
    {.name = "random_uniform", .infer = infer_random},
    {.name = "random_normal", .infer = infer_random},
    {.name = "random_indices", .infer = infer_indices},
    {.name = "dropout", .infer = infer_dropout, .grad = grad_dropout, .in_place = [](const Node&) { return InPlace{{0}}; }},
};

/// A random node's stream is a hash of a name: its path, which the caller's scopes and call order fix, if none is given.
Value add_random(std::string_view op, std::initializer_list<Value> inputs, Attributes attributes, std::string stream = {}) {
  Graph& graph = inputs.begin()->graph();
  if (stream.empty()) stream = graph.next_path(std::string(op));
  attributes.set("stream", static_cast<int64_t>(stream_of(stream)));
  return graph.add(find_op(op), {inputs.begin(), inputs.size()}, std::move(attributes))[0];
}

}  // namespace

void require_seed_step(const InferContext& c, size_t seed) {
  c.require(c.inputs[seed] == TensorType{DType::u64, {}} && c.inputs[seed + 1] == TensorType{DType::i64, {}},
            "{} takes a seed u64 [] and a step i64 [], got {} and {}", c.op, to_string(c.inputs[seed]),
            to_string(c.inputs[seed + 1]));
}

std::span<const OpSpec> random_specs() {
  return kSpecs;
}

Value random_uniform(Value seed, Value step, double low, double high, Shape shape) {
  return add_random("random_uniform", {seed, step}, {{"low", low}, {"high", high}, {"shape", std::move(shape)}});
}
Value random_normal(Value seed, Value step, double mean, double stddev, Shape shape) {
  return add_random("random_normal", {seed, step}, {{"mean", mean}, {"stddev", stddev}, {"shape", std::move(shape)}});
}
Value random_indices(Value seed, Value step, const IndexDraw& d) {
  return add_random("random_indices", {seed, step},
                    {{"count", d.count},
                     {"population", d.population},
                     {"replacement", int64_t{d.replacement}},
                     {"draw", d.draw},
                     {"draws_per_step", d.draws_per_step}},
                    d.stream);
}
Value dropout(Value x, Value seed, Value step, double rate) {
  return add_random("dropout", {x, seed, step}, {{"rate", rate}});
}

}  // namespace forger
