// The closed convolution trio. With y = conv(x, w):
//   conv2d(x, w)              = y     dx of it: input_grad(dy, w)    dw: filter_grad(x, dy)
//   conv2d_input_grad(y, w)   = x     dy of it: conv2d(dx, w)        dw: filter_grad(dx, y)
//   conv2d_filter_grad(x, y)  = w     dx of it: input_grad(y, dw)    dy: conv2d(x, dw)
// All three are linear in each argument and adjoint to one another, so every derivative of any order is one of them.
#include "engine/ops/common.h"
#include "engine/ops/epilogue.h"

namespace forger {
namespace {

/// The problem size travels in the attribute "conv" of all three ops, in this order.
std::vector<int64_t> to_list(const Conv2dShape& s) {
  return {s.N, s.H, s.W, s.C, s.K, s.R, s.S, s.P, s.Q, s.stride_h, s.stride_w, s.pad_top, s.pad_left};
}

enum class Role { input, filter, output };

Shape shape_of(const Conv2dShape& s, Role role) {
  switch (role) {
    case Role::input:
      return {s.N, s.H, s.W, s.C};
    case Role::filter:
      return {s.K, s.R, s.S, s.C};
    case Role::output:
      return {s.N, s.P, s.Q, s.K};
  }
  return {};
}

/// Bias (an optional third input, written by the fuse_bias pass) runs along the last axis of the result. With statistics
/// (fuse_batch_norm_statistics) running mean and variance are the next two inputs, and behind the result come mean,
/// inv_std and the new running values. An epilogue (fuse_epilogue) has inputs after all others; it and statistics exclude each
/// other.
template <Role a, Role b, Role result>
std::vector<TensorType> infer(const InferContext& c) {
  const Conv2dShape s = conv2d_shape(c.attributes);
  const bool statistics = result == Role::output && c.attributes.has("statistics");
  const size_t more = epilogue_inputs(c.attributes) + (statistics ? 2 : 0);
  const size_t operands = c.inputs.size() - std::min(c.inputs.size(), more);
  c.require(operands == 2 || (operands == 3 && result != Role::filter), "{} takes 2 inputs, got {}", c.op, operands);
  c.require(!epilogue_of(c.attributes) || (result != Role::filter && !statistics), "{} has no epilogue here", c.op);
  c.require(s.stride_h > 0 && s.stride_w > 0 && s.pad_top >= 0 && s.pad_left >= 0 && s.pad_top < s.R && s.pad_left < s.S,
            "strides must be positive and padding smaller than the filter");
  c.require((s.P - 1) * s.stride_h - s.pad_top < s.H && (s.Q - 1) * s.stride_w - s.pad_left < s.W,
            "the last output pixel lies outside the padded input");
  const TensorType first{c.real, shape_of(s, a)}, second{c.real, shape_of(s, b)}, out{c.real, shape_of(s, result)};
  c.require(c.inputs[0] == first, "input 0 of {} is {}, expected {}", c.op, to_string(c.inputs[0]), to_string(first));
  c.require(c.inputs[1] == second, "input 1 of {} is {}, expected {}", c.op, to_string(c.inputs[1]), to_string(second));
  const TensorType channel{c.real, {out.shape.back()}};
  if (operands == 3) c.require(c.inputs[2] == channel, "bias is {}, expected [{}]", to_string(c.inputs[2]), out.shape.back());
  require_epilogue(c, out);
  if (!statistics) return {out};
  for (size_t i = operands; i < c.inputs.size(); ++i) {
    c.require(c.inputs[i] == channel, "a running value is {}, expected {}", to_string(c.inputs[i]), to_string(channel));
  }
  return {out, channel, channel, channel, channel};
}

std::vector<Value> grad_conv2d(const GradContext& c) {
  const Conv2dShape s = conv2d_shape(c.attributes());
  const Value x = c.input(0), w = c.input(1), dy = c.cotangents[0];
  return {c.needed[0] ? conv2d_input_grad(dy, w, s) : Value{}, c.needed[1] ? conv2d_filter_grad(x, dy, s) : Value{}};
}

std::vector<Value> grad_input_grad(const GradContext& c) {
  const Conv2dShape s = conv2d_shape(c.attributes());
  const Value y = c.input(0), w = c.input(1), dx = c.cotangents[0];
  return {c.needed[0] ? conv2d(dx, w, s) : Value{}, c.needed[1] ? conv2d_filter_grad(dx, y, s) : Value{}};
}

std::vector<Value> grad_filter_grad(const GradContext& c) {
  const Conv2dShape s = conv2d_shape(c.attributes());
  const Value x = c.input(0), y = c.input(1), dw = c.cotangents[0];
  return {c.needed[0] ? conv2d_input_grad(y, dw, s) : Value{}, c.needed[1] ? conv2d(x, dw, s) : Value{}};
}

int64_t flops(const Graph& graph, const Node& node) {
  return conv2d_shape(node.attributes).flops() + epilogue_flops(graph, node);
}

/// New running values may take over the old ones' memory.
InPlace in_place_running(const Node& node) {
  if (!node.attributes.has("statistics")) return {};
  return {{}, {}, {}, {node.inputs.size() - 2}, {node.inputs.size() - 1}};
}

const OpSpec kSpecs[] = {
    {.name = "conv2d",
     .infer = infer<Role::input, Role::filter, Role::output>,
     .grad = grad_conv2d,
     .flops = flops,
     .in_place = in_place_running},
    {.name = "conv2d_input_grad",
     .infer = infer<Role::output, Role::filter, Role::input>,
     .grad = grad_input_grad,
     .flops = flops},
    {.name = "conv2d_filter_grad",
     .infer = infer<Role::input, Role::output, Role::filter>,
     .grad = grad_filter_grad,
     .flops = flops},
};

}  // namespace

std::span<const OpSpec> conv2d_specs() {
  return kSpecs;
}

Conv2dShape conv2d_shape(const Attributes& attributes) {
  const auto& v = attributes.list("conv");
  return {v.at(0), v.at(1), v.at(2), v.at(3), v.at(4), v.at(5), v.at(6), v.at(7), v.at(8), v.at(9), v.at(10), v.at(11), v.at(12)};
}

Value conv2d(Value x, Value w, const Conv2dShape& s) {
  return add_node("conv2d", {x, w}, {{"conv", to_list(s)}});
}
Value conv2d_input_grad(Value dy, Value w, const Conv2dShape& s) {
  return add_node("conv2d_input_grad", {dy, w}, {{"conv", to_list(s)}});
}
Value conv2d_filter_grad(Value x, Value dy, const Conv2dShape& s) {
  return add_node("conv2d_filter_grad", {x, dy}, {{"conv", to_list(s)}});
}

Value conv2d(Value x, Value w, int64_t stride, Padding padding) {
  if (x.shape().size() != 4 || w.shape().size() != 4) {
    fail<ShapeError>("{}: conv2d takes NHWC and KRSC tensors, got {} and {}", w.path(), to_string(x.type()), to_string(w.type()));
  }
  Conv2dShape s{.N = x.dim(0), .H = x.dim(1), .W = x.dim(2), .C = x.dim(3), .K = w.dim(0), .R = w.dim(1), .S = w.dim(2)};
  s.stride_h = s.stride_w = stride;
  if (padding == Padding::same) {
    s.P = same_output_size(s.H, stride);
    s.Q = same_output_size(s.W, stride);
    s.pad_top = same_padding_before(s.H, s.R, stride);
    s.pad_left = same_padding_before(s.W, s.S, stride);
  } else {
    s.P = (s.H - s.R) / stride + 1;
    s.Q = (s.W - s.S) / stride + 1;
  }
  return conv2d(x, w, s);
}

Value conv2d_transpose(Value x, Value w, int64_t stride, int64_t height, int64_t width) {
  if (x.shape().size() != 4 || w.shape().size() != 4) {
    fail<ShapeError>("{}: conv2d_transpose takes NHWC and KRSC tensors, got {} and {}", w.path(), to_string(x.type()),
                     to_string(w.type()));
  }
  Conv2dShape s{.N = x.dim(0),
                .H = height > 0 ? height : x.dim(1) * stride,
                .W = width > 0 ? width : x.dim(2) * stride,
                .C = w.dim(3),
                .K = w.dim(0),
                .R = w.dim(1),
                .S = w.dim(2),
                .P = x.dim(1),
                .Q = x.dim(2)};
  s.stride_h = s.stride_w = stride;
  s.pad_top = same_padding_before(s.H, s.R, stride);
  s.pad_left = same_padding_before(s.W, s.S, stride);
  return conv2d_input_grad(x, w, s);
}

}  // namespace forger
