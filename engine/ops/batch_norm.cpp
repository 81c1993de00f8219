// Batch normalisation over all axes but the last. Ioffe and Szegedy 2015; the backward pass is in closed form.
#include "engine/autodiff/gradients.h"
#include "engine/ops/common.h"
#include "engine/ops/epilogue.h"

namespace forger {
namespace {

/// Inputs x, then per-channel vectors [C] from `first` to `last`.
void require_channels(const InferContext& c, size_t first, size_t last) {
  c.require_real(0);
  c.require(!c.inputs[0].shape.empty(), "{} needs at least one axis, got {}", c.op, to_string(c.inputs[0]));
  const TensorType channel{c.real, {c.inputs[0].shape.back()}};
  for (size_t i = first; i <= last; ++i) {
    c.require(c.inputs[i] == channel, "input {} of {} is {}, expected {}", i, c.op, to_string(c.inputs[i]), to_string(channel));
  }
}

/// Five inputs, and behind them those of a tape on what is like x.
void require_five_and_tape(const InferContext& c) {
  c.require_inputs(5 + epilogue_inputs(c.attributes));
  require_epilogue(c, c.inputs[0]);
}

/// The tape on y (written by fuse_batch_norm) is the attribute "epilogue".
std::vector<TensorType> infer_training(const InferContext& c) {
  require_five_and_tape(c);
  require_channels(c, 1, 4);
  const TensorType &x = c.inputs[0], &channel = c.inputs[1];
  return {x, channel, channel, channel, channel};
}

std::vector<TensorType> infer_inference(const InferContext& c) {
  c.require_inputs(5);
  require_channels(c, 1, 4);
  return {c.inputs[0]};
}

/// The tape on dy (written by fuse_batch_norm) is the attribute "prologue".
std::vector<TensorType> infer_grad(const InferContext& c) {
  require_five_and_tape({c.path, c.op, c.inputs, prologue_as_epilogue(c.attributes), c.real});
  c.require_same(0, 1);
  require_channels(c, 2, 4);
  return {c.inputs[0], c.inputs[2], c.inputs[2]};
}

std::vector<TensorType> infer_apply(const InferContext& c) {
  require_five_and_tape(c);
  require_channels(c, 1, 4);
  return {c.inputs[0]};
}

/// x, dy, gamma, mean, inv_std -> dx, dgamma, dbeta.
std::vector<Value> batch_norm_grad(Value x, Value dy, Value gamma, Value mean, Value inv_std, double epsilon) {
  const Value inputs[] = {x, dy, gamma, mean, inv_std};
  return x.graph().add(find_op("batch_norm_grad"), inputs, {{"epsilon", epsilon}});
}

/// Only y carries gradients: the saved statistics serve the backward pass, whose own rule accounts for them.
std::vector<Value> grad_training(const GradContext& c) {
  if (!c.cotangents[0]) return std::vector<Value>(5);
  const auto d =
      batch_norm_grad(c.input(0), c.cotangents[0], c.input(1), c.output(1), c.output(2), c.attributes().real("epsilon"));
  return {d[0], d[1], d[2], {}, {}};
}

std::vector<Value> grad_inference(const GradContext& c) {
  const Value x = c.input(0), gamma = c.input(1), mean = c.input(3), var = c.input(4), dy = c.cotangents[0];
  const Shape& shape = x.shape();
  const Value inv_std = unary(ScalarOp::rsqrt, shift(var, c.attributes().real("epsilon")));
  const Value dx = c.needed[0] ? mul(dy, broadcast_to(mul(gamma, inv_std), shape)) : Value{};
  Value dgamma, dbeta;
  if (c.needed[1]) {
    const Value normalised = mul(sub(x, broadcast_to(mean, shape)), broadcast_to(inv_std, shape));
    dgamma = reduce_sum(mul(dy, normalised), leading_axes(shape));
  }
  if (c.needed[2]) dbeta = reduce_sum(dy, leading_axes(shape));
  return {dx, dgamma, dbeta, {}, {}};
}

/// Second order (gradient penalties): writes the backward pass in primitive ops and differentiates that. Here mean and
/// inv_std are functions of x again, which is why the saved ones receive no gradient of their own.
std::vector<Value> grad_grad(const GradContext& c) {
  const Value x = c.input(0), dy = c.input(1), gamma = c.input(2);
  const Shape& shape = x.shape();
  const auto axes = leading_axes(shape);
  const auto spread = [&](Value v) { return broadcast_to(v, shape); };
  const Value centred = sub(x, spread(reduce_mean(x, axes)));
  const Value inv_std = unary(ScalarOp::rsqrt, shift(reduce_mean(square(centred), axes), c.attributes().real("epsilon")));
  const Value xhat = mul(centred, spread(inv_std));
  const Value dbeta = reduce_sum(dy, axes), dgamma = reduce_sum(mul(dy, xhat), axes);
  const Value inner = sub(sub(dy, spread(reduce_mean(dy, axes))), mul(xhat, spread(reduce_mean(mul(dy, xhat), axes))));
  const Value dx = mul(spread(mul(gamma, inv_std)), inner);

  std::vector<Value> results, seeds;
  const Value expanded[] = {dx, dgamma, dbeta};
  for (size_t i = 0; i < 3; ++i) {
    if (!c.cotangents[i]) continue;
    results.push_back(expanded[i]);
    seeds.push_back(c.cotangents[i]);
  }
  const Value wrt[] = {x, dy, gamma};
  const auto d = gradients(results, seeds, wrt);
  return {d[0], d[1], d[2], {}, {}};
}

int64_t flops_bn(const Graph& g, const Node& n) {
  const Attributes attributes = prologue_as_epilogue(n.attributes);
  const ElementwiseTape* tape = epilogue_of(attributes);
  return (8 + (tape ? static_cast<int64_t>(tape->instructions.size()) : 0)) * g.type(n.inputs[0]).size();
}
InPlace in_place_x(const Node&) {
  return {{0}};
}

const OpSpec kSpecs[] = {
    {.name = "batch_norm_training",
     .infer = infer_training,
     .grad = grad_training,
     .flops = flops_bn,
     .in_place =
         [](const Node&) {
           return InPlace{{0}, {}, {}, {3}, {4}};
         }},
    // x, mean, inv_std, gamma, beta -> (x - mean) * inv_std * gamma + beta: what is left of batch_norm_training when the
    // convolution before it makes the statistics. Written by passes: it needs no gradient.
    {.name = "batch_norm_apply", .infer = infer_apply, .flops = flops_bn, .in_place = in_place_x},
    {.name = "batch_norm_inference", .infer = infer_inference, .grad = grad_inference, .flops = flops_bn, .in_place = in_place_x},
    {.name = "batch_norm_grad",
     .infer = infer_grad,
     .grad = grad_grad,
     .flops = flops_bn,
     .in_place = [](const Node&) { return InPlace{{1}}; }},
};

}  // namespace

Attributes prologue_as_epilogue(const Attributes& attributes) {
  if (!attributes.has("prologue")) return attributes;
  Attributes result = attributes;
  result.set("epilogue", attributes.get<ElementwiseTape>("prologue"));
  return result;
}

std::span<const OpSpec> batch_norm_specs() {
  return kSpecs;
}

BatchNorm batch_norm_training(Value x, Value gamma, Value beta, Value running_mean, Value running_var, double epsilon,
                              double momentum) {
  const Value inputs[] = {x, gamma, beta, running_mean, running_var};
  const auto r = x.graph().add(find_op("batch_norm_training"), inputs, {{"epsilon", epsilon}, {"momentum", momentum}});
  return {r[0], r[1], r[2], r[3], r[4]};
}

Value batch_norm_inference(Value x, Value gamma, Value beta, Value running_mean, Value running_var, double epsilon) {
  return add_node("batch_norm_inference", {x, gamma, beta, running_mean, running_var}, {{"epsilon", epsilon}});
}

}  // namespace forger
