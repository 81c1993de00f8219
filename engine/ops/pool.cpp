// Max pooling: (max_pool_pick, max_pool_scatter), each the other's transpose in its second input. Which element of a window
// is the largest does not change under small changes of x, so that x itself gets no gradient.
#include "engine/ops/common.h"

namespace forger {
namespace {

std::vector<TensorType> infer_pick(const InferContext& c) {
  c.require_inputs(2);
  c.require_real(0);
  c.require_rank(0, 4);
  c.require_same(0, 1);
  const int64_t window = c.attributes.integer("window");
  const Shape& x = c.inputs[0].shape;
  c.require(window > 0 && x[1] % window == 0 && x[2] % window == 0, "windows of {} x {} do not divide {}", window, window,
            to_string(c.inputs[0]));
  return {{c.real, {x[0], x[1] / window, x[2] / window, x[3]}}};
}

std::vector<TensorType> infer_scatter(const InferContext& c) {
  c.require_inputs(2);
  c.require_real(0);
  c.require_rank(0, 4);
  const int64_t window = c.attributes.integer("window");
  const Shape& x = c.inputs[0].shape;
  c.require(window > 0 && x[1] % window == 0 && x[2] % window == 0, "windows of {} x {} do not divide {}", window, window,
            to_string(c.inputs[0]));
  c.require(c.inputs[1] == TensorType{c.real, {x[0], x[1] / window, x[2] / window, x[3]}},
            "the pooled tensor is {}, which does not fit {} and windows of {}", to_string(c.inputs[1]), to_string(c.inputs[0]),
            window);
  return {c.inputs[0]};
}

std::vector<Value> grad_pick(const GradContext& c) {
  if (!c.needed[1]) return {{}, {}};
  return {{}, max_pool_scatter(c.input(0), c.cotangents[0], c.attributes().integer("window"))};
}

std::vector<Value> grad_scatter(const GradContext& c) {
  if (!c.needed[1]) return {{}, {}};
  return {{}, max_pool_pick(c.input(0), c.cotangents[0], c.attributes().integer("window"))};
}

int64_t flops_pool(const Graph& g, const Node& n) {
  return g.type(n.inputs[0]).size();
}

const OpSpec kSpecs[] = {
    {.name = "max_pool_pick", .infer = infer_pick, .grad = grad_pick, .flops = flops_pool},
    {.name = "max_pool_scatter", .infer = infer_scatter, .grad = grad_scatter, .flops = flops_pool},
};

}  // namespace

std::span<const OpSpec> pool_specs() {
  return kSpecs;
}

Value max_pool_pick(Value x, Value v, int64_t window) {
  return add_node("max_pool_pick", {x, v}, {{"window", window}});
}
Value max_pool_scatter(Value x, Value dy, int64_t window) {
  return add_node("max_pool_scatter", {x, dy}, {{"window", window}});
}
Value max_pool(Value x, int64_t window) {
  return max_pool_pick(x, x, window);
}

}  // namespace forger
