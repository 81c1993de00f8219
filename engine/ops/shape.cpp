// Views, broadcasts and their transposes: (reshape), stop_gradient, (broadcast_to, reduce_sum), (slice, pad), window_add, concat.
#include "engine/ops/common.h"

namespace forger {
namespace {

std::vector<TensorType> infer_reshape(const InferContext& c) {
  c.require_inputs(1);
  const Shape& to = c.attributes.list("shape");
  c.require(num_elements(to) == c.inputs[0].size(), "cannot reshape {} to {}: {} elements against {}", to_string(c.inputs[0]),
            to_string(to), c.inputs[0].size(), num_elements(to));
  return {{c.inputs[0].dtype, to}};
}

std::vector<Value> grad_reshape(const GradContext& c) {
  return {reshape(c.cotangents[0], c.input(0).shape())};
}

std::vector<TensorType> infer_broadcast_to(const InferContext& c) {
  c.require_inputs(1);
  c.require_real(0);
  const Shape &from = c.inputs[0].shape, &to = c.attributes.list("shape");
  bool fits = from.size() <= to.size();
  for (size_t i = 0; fits && i < from.size(); ++i) {
    const int64_t f = from[from.size() - 1 - i];
    fits = f == 1 || f == to[to.size() - 1 - i];
  }
  c.require(fits, "cannot broadcast {} to {}", to_string(from), to_string(to));
  return {{c.real, to}};
}

std::vector<Value> grad_broadcast_to(const GradContext& c) {
  const Shape from = c.input(0).shape(), to = c.output(0).shape();
  std::vector<int64_t> axes;
  for (size_t i = 0; i < to.size(); ++i) {
    const bool added = i + from.size() < to.size();
    if (added || (from[i - (to.size() - from.size())] == 1 && to[i] != 1)) axes.push_back(static_cast<int64_t>(i));
  }
  return {reshape(reduce_sum(c.cotangents[0], axes), from)};
}

Shape reduced_shape(const Shape& shape, const std::vector<int64_t>& axes, bool keep) {
  Shape result;
  for (size_t i = 0; i < shape.size(); ++i) {
    const bool gone = std::find(axes.begin(), axes.end(), static_cast<int64_t>(i)) != axes.end();
    if (!gone) result.push_back(shape[i]);
    if (gone && keep) result.push_back(1);
  }
  return result;
}

std::vector<TensorType> infer_reduce_sum(const InferContext& c) {
  c.require_inputs(1);
  c.require_real(0);
  int64_t last = -1;
  for (int64_t axis : c.attributes.list("axes")) {
    c.require(axis > last && axis < static_cast<int64_t>(c.inputs[0].shape.size()),
              "axes of reduce_sum must ascend and lie inside {}", to_string(c.inputs[0]));
    last = axis;
  }
  return {{c.real, reduced_shape(c.inputs[0].shape, c.attributes.list("axes"), c.attributes.integer("keep") != 0)}};
}

std::vector<Value> grad_reduce_sum(const GradContext& c) {
  const Shape shape = c.input(0).shape();
  const Shape kept = reduced_shape(shape, c.attributes().list("axes"), true);
  return {broadcast_to(reshape(c.cotangents[0], kept), shape)};
}

int64_t flops_reduce_sum(const Graph& g, const Node& n) {
  return g.type(n.inputs[0]).size();
}

std::vector<TensorType> infer_concat(const InferContext& c) {
  c.require(!c.inputs.empty(), "concat needs at least one input");
  const auto axis = static_cast<size_t>(c.attributes.integer("axis"));
  TensorType result = c.inputs[0];
  c.require(axis < result.shape.size(), "concat's axis {} lies outside {}", axis, to_string(result));
  result.shape[axis] = 0;
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    TensorType other = c.inputs[i];
    const int64_t extent = axis < other.shape.size() ? other.shape[axis] : 0;
    if (axis < other.shape.size()) other.shape[axis] = result.shape[axis];
    c.require(other == result, "input {} of concat is {}, which does not match {} outside axis {}", i, to_string(c.inputs[i]),
              to_string(c.inputs[0]), axis);
    result.shape[axis] += extent;
  }
  return {result};
}

std::vector<Value> grad_concat(const GradContext& c) {
  const auto axis = static_cast<size_t>(c.attributes().integer("axis"));
  std::vector<Value> grads;
  std::vector<int64_t> begin(c.output(0).shape().size(), 0);
  for (size_t i = 0; i < c.num_inputs(); ++i) {
    const Shape shape = c.input(i).shape();
    grads.push_back(c.needed[i] ? slice(c.cotangents[0], begin, shape) : Value{});
    begin[axis] += shape[axis];
  }
  return grads;
}

std::vector<TensorType> infer_slice(const InferContext& c) {
  c.require_inputs(1);
  const Shape& shape = c.inputs[0].shape;
  const auto &begin = c.attributes.list("begin"), &size = c.attributes.list("size");
  bool fits = begin.size() == shape.size() && size.size() == shape.size();
  for (size_t i = 0; fits && i < shape.size(); ++i) fits = begin[i] >= 0 && size[i] > 0 && begin[i] + size[i] <= shape[i];
  c.require(fits, "slice from {} of size {} lies outside {}", to_string(begin), to_string(size), to_string(shape));
  return {{c.inputs[0].dtype, size}};
}

std::vector<Value> grad_slice(const GradContext& c) {
  return {pad(c.cotangents[0], c.attributes().list("begin"), c.input(0).shape())};
}

std::vector<TensorType> infer_pad(const InferContext& c) {
  c.require_inputs(1);
  c.require_real(0);
  const Shape& shape = c.inputs[0].shape;
  const auto &before = c.attributes.list("before"), &to = c.attributes.list("shape");
  bool fits = before.size() == shape.size() && to.size() == shape.size();
  for (size_t i = 0; fits && i < shape.size(); ++i) fits = before[i] >= 0 && before[i] + shape[i] <= to[i];
  c.require(fits, "{} at {} does not fit into {}", to_string(shape), to_string(before), to_string(to));
  return {{c.real, to}};
}

std::vector<Value> grad_pad(const GradContext& c) {
  return {slice(c.cotangents[0], c.attributes().list("before"), c.input(0).shape())};
}

/// x and a part that is added to x, times "p", from "begin" on.
std::vector<TensorType> infer_window_add(const InferContext& c) {
  c.require_inputs(2);
  c.require_real(0);
  c.require_real(1);
  const Shape &shape = c.inputs[0].shape, &part = c.inputs[1].shape;
  const auto& begin = c.attributes.list("begin");
  bool fits = begin.size() == shape.size() && part.size() == shape.size();
  for (size_t i = 0; fits && i < shape.size(); ++i) fits = begin[i] >= 0 && begin[i] + part[i] <= shape[i];
  c.require(fits, "{} at {} does not fit into {}", to_string(part), to_string(begin), to_string(shape));
  return {c.inputs[0]};
}

std::vector<Value> grad_window_add(const GradContext& c) {
  const Value dy = c.cotangents[0];
  const Value part = c.needed[1] ? slice(dy, c.attributes().list("begin"), c.input(1).shape()) : Value{};
  return {dy, part ? scale(part, c.attributes().real("p")) : Value{}};
}

const OpSpec kSpecs[] = {
    {.name = "reshape",
     .infer = infer_reshape,
     .grad = grad_reshape,
     .in_place = [](const Node&) { return InPlace{{0}}; },
     .is_view = true},
    {.name = "stop_gradient",
     .infer =
         [](const InferContext& c) {
           c.require_inputs(1);
           return std::vector<TensorType>{c.inputs[0]};
         },
     .in_place = [](const Node&) { return InPlace{{0}}; },
     .is_view = true},
    {.name = "broadcast_to", .infer = infer_broadcast_to, .grad = grad_broadcast_to},
    {.name = "reduce_sum", .infer = infer_reduce_sum, .grad = grad_reduce_sum, .flops = flops_reduce_sum},
    {.name = "concat", .infer = infer_concat, .grad = grad_concat},
    {.name = "slice", .infer = infer_slice, .grad = grad_slice},
    {.name = "pad", .infer = infer_pad, .grad = grad_pad},
    {.name = "window_add",
     .infer = infer_window_add,
     .grad = grad_window_add,
     .flops = [](const Graph& g, const Node& n) { return 2 * g.type(n.inputs[1]).size(); },
     .bytes = [](const Graph& g, const Node& n) { return 3 * static_cast<int64_t>(g.type(n.inputs[1]).bytes()); },  // in place
     .in_place = [](const Node&) { return InPlace{{0}}; }},
};

}  // namespace

std::span<const OpSpec> shape_specs() {
  return kSpecs;
}

Value reshape(Value x, Shape shape) {
  return x.shape() == shape ? x : add_node("reshape", {x}, {{"shape", std::move(shape)}});
}
Value stop_gradient(Value x) {
  return add_node("stop_gradient", {x});
}
Value broadcast_to(Value x, Shape shape) {
  return x.shape() == shape ? x : add_node("broadcast_to", {x}, {{"shape", std::move(shape)}});
}
Value reduce_sum(Value x, std::vector<int64_t> axes, bool keep) {
  if (axes.empty()) return x;
  return add_node("reduce_sum", {x}, {{"axes", std::move(axes)}, {"keep", int64_t{keep}}});
}
Value reduce_mean(Value x, std::vector<int64_t> axes, bool keep) {
  const Value sum = reduce_sum(x, std::move(axes), keep);
  const double count = static_cast<double>(x.type().size()) / static_cast<double>(sum.type().size());
  return scale(sum, 1.0 / count);
}
Value mean_all(Value x) {
  return reduce_mean(x, all_axes(x.shape()));
}
Value concat(std::vector<Value> parts, int64_t axis) {
  return parts.at(0).graph().add(find_op("concat"), parts, {{"axis", axis}})[0];
}
Value slice(Value x, std::vector<int64_t> begin, std::vector<int64_t> size) {
  return add_node("slice", {x}, {{"begin", std::move(begin)}, {"size", std::move(size)}});
}
Value window_add(Value x, Value part, std::vector<int64_t> begin, double p) {
  return add_node("window_add", {x, part}, {{"begin", std::move(begin)}, {"p", p}});
}
Value pad(Value x, std::vector<int64_t> before, Shape to) {
  return add_node("pad", {x}, {{"before", std::move(before)}, {"shape", std::move(to)}});
}

}  // namespace forger
