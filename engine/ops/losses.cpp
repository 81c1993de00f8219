// Losses whose value and gradient come out of one op, and softmax.
#include "engine/ops/common.h"

namespace forger {
namespace {

/// True for the seed of backpropagation, fill(1): then the loss's second output already is the gradient.
bool is_one(Value v) {
  const Node& node = v.graph().producer(v.id());
  return node.op->name == "fill" && node.attributes.real("value") == 1.0;
}

Value times_scalar(Value tensor, Value scalar) {
  return is_one(scalar) ? tensor : mul(tensor, broadcast_to(scalar, tensor.shape()));
}

Value sum_or(Value a, Value b) {
  return !a ? b : !b ? a : add(a, b);
}

std::vector<TensorType> infer_bce(const InferContext& c) {
  c.require_inputs(2);
  c.require_real(0);
  c.require_same(0, 1);
  return {{c.real, {}}, c.inputs[0]};
}

/// Outputs: loss = mean(softplus(x) - x t) and dlogits = (sigmoid(x) - t) / n.
std::vector<Value> grad_bce(const GradContext& c) {
  const Value x = c.input(0), dloss = c.cotangents[0], ddlogits = c.cotangents[1];
  const double n = static_cast<double>(x.type().size());
  Value dx, dt;
  if (dloss && c.needed[0]) dx = times_scalar(c.output(1), dloss);
  if (dloss && c.needed[1]) dt = times_scalar(scale(x, -1.0 / n), dloss);
  if (ddlogits && c.needed[0]) {
    const Value s = sigmoid(x);
    dx = sum_or(dx, scale(mul(ddlogits, sub(s, square(s))), 1.0 / n));
  }
  if (ddlogits && c.needed[1]) dt = sum_or(dt, scale(ddlogits, -1.0 / n));
  return {dx, dt};
}

std::vector<TensorType> infer_softmax(const InferContext& c) {
  c.require_inputs(1);
  c.require_real(0);
  c.require_rank(0, 2);
  return {c.inputs[0]};
}

/// J^T v = p * (v - sum(v * p)).
Value softmax_pullback(Value p, Value v) {
  const Value vp = mul(v, p);
  const Value total = reduce_sum(vp, {1}, true);  // [N,1]
  return sub(vp, mul(p, broadcast_to(total, p.shape())));
}

std::vector<Value> grad_softmax(const GradContext& c) {
  return {softmax_pullback(c.output(0), c.cotangents[0])};
}

std::vector<TensorType> infer_softmax_cross_entropy(const InferContext& c) {
  c.require_inputs(2);
  c.require_real(0);
  c.require_rank(0, 2);
  c.require(c.inputs[1] == TensorType{DType::i32, {c.inputs[0].shape[0]}}, "labels are {}, expected i32[{}]",
            to_string(c.inputs[1]), c.inputs[0].shape[0]);
  return {{c.real, {}}, c.inputs[0]};
}

/// Outputs: the mean loss over rows and dlogits = (softmax - onehot) / N.
std::vector<Value> grad_softmax_cross_entropy(const GradContext& c) {
  const Value x = c.input(0);
  Value dx;
  if (c.cotangents[0]) dx = times_scalar(c.output(1), c.cotangents[0]);
  if (c.cotangents[1]) {
    dx = sum_or(dx, scale(softmax_pullback(softmax(x), c.cotangents[1]), 1.0 / static_cast<double>(x.dim(0))));
  }
  return {dx, {}};
}

int64_t flops_loss(const Graph& g, const Node& n) {
  return 10 * g.type(n.inputs[0]).size();
}

const OpSpec kSpecs[] = {
    {.name = "bce_with_logits", .infer = infer_bce, .grad = grad_bce, .flops = flops_loss},
    {.name = "softmax", .infer = infer_softmax, .grad = grad_softmax, .flops = flops_loss},
    {.name = "softmax_cross_entropy",
     .infer = infer_softmax_cross_entropy,
     .grad = grad_softmax_cross_entropy,
     .flops = flops_loss},
};

}  // namespace

std::span<const OpSpec> loss_specs() {
  return kSpecs;
}

Value bce_with_logits(Value logits, Value targets) {
  return add_node("bce_with_logits", {logits, targets});
}
Value softmax(Value logits) {
  return add_node("softmax", {logits});
}
Value softmax_cross_entropy(Value logits, Value labels) {
  return add_node("softmax_cross_entropy", {logits, labels});
}
Value mse(Value a, Value b) {
  return mean_all(square(sub(a, b)));
}

}  // namespace forger
