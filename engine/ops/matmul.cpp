// Matrix product and bias: the parts of a dense layer.
#include "engine/ops/common.h"
#include "engine/ops/epilogue.h"

namespace forger {
namespace {

/// [m, k] x [k, n] after transposition; an optional third input is a bias [n] (written by the fuse_bias pass). The
/// inputs after it are an epilogue's (fuse_epilogue).
std::vector<TensorType> infer_matmul(const InferContext& c) {
  const size_t own = c.inputs.size() - std::min(c.inputs.size(), epilogue_inputs(c.attributes));  // inputs before the epilogue's
  c.require(own == 2 || own == 3, "matmul takes 2 or 3 inputs, got {}", own);
  for (size_t i = 0; i < 2; ++i) {
    c.require_real(i);
    c.require_rank(i, 2);
  }
  const bool ta = c.attributes.integer("transpose_a") != 0, tb = c.attributes.integer("transpose_b") != 0;
  const Shape &a = c.inputs[0].shape, &b = c.inputs[1].shape;
  const int64_t m = a[ta ? 1 : 0], ka = a[ta ? 0 : 1], kb = b[tb ? 1 : 0], n = b[tb ? 0 : 1];
  c.require(ka == kb, "matmul of {}{} and {}{}: inner sizes {} and {} differ", to_string(a), ta ? "^T" : "", to_string(b),
            tb ? "^T" : "", ka, kb);
  if (own == 3) {
    c.require(c.inputs[2] == TensorType{c.real, {n}}, "bias is {}, expected [{}]", to_string(c.inputs[2]), n);
  }
  require_epilogue(c, {c.real, {m, n}});
  return {{c.real, {m, n}}};
}

std::vector<Value> grad_matmul(const GradContext& c) {
  const bool ta = c.attributes().integer("transpose_a") != 0, tb = c.attributes().integer("transpose_b") != 0;
  const Value a = c.input(0), b = c.input(1), dy = c.cotangents[0];
  Value da, db;
  if (c.needed[0]) da = ta ? matmul(b, dy, tb, true) : matmul(dy, b, false, !tb);
  if (c.needed[1]) db = tb ? matmul(dy, a, true, ta) : matmul(a, dy, !ta, false);
  return {da, db};
}

int64_t flops_matmul(const Graph& g, const Node& n) {
  const Shape& a = g.type(n.inputs[0]).shape;
  const int64_t k = a[n.attributes.integer("transpose_a") != 0 ? 0 : 1];
  return 2 * k * g.type(n.outputs[0]).size() + epilogue_flops(g, n);
}

std::vector<TensorType> infer_bias_add(const InferContext& c) {
  c.require_inputs(2);
  c.require_real(0);
  c.require_real(1);
  const Shape &x = c.inputs[0].shape, &b = c.inputs[1].shape;
  c.require(!x.empty() && b.size() == 1 && b[0] == x.back(), "bias {} does not fit {}: expected [{}]", to_string(b), to_string(x),
            x.empty() ? 0 : x.back());
  return {c.inputs[0]};
}

std::vector<Value> grad_bias_add(const GradContext& c) {
  const Value dy = c.cotangents[0];
  return {dy, c.needed[1] ? reduce_sum(dy, leading_axes(dy.shape())) : Value{}};
}

const OpSpec kSpecs[] = {
    {.name = "matmul", .infer = infer_matmul, .grad = grad_matmul, .flops = flops_matmul},
    {.name = "bias_add", .infer = infer_bias_add, .grad = grad_bias_add, .in_place = [](const Node&) { return InPlace{{0}}; }},
};

}  // namespace

std::span<const OpSpec> matmul_specs() {
  return kSpecs;
}

Value matmul(Value a, Value b, bool transpose_a, bool transpose_b) {
  return add_node("matmul", {a, b}, {{"transpose_a", int64_t{transpose_a}}, {"transpose_b", int64_t{transpose_b}}});
}
Value bias_add(Value x, Value b) {
  return add_node("bias_add", {x, b});
}

}  // namespace forger
