// Batch norm with given statistics is an affine map per channel. Behind a convolution or a matrix product it is written in
// scalar ops, which then become that kernel's epilogue together with the activation that follows; in front of a scalar op, too,
// with which they make one tape.
#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"
#include "engine/passes/passes.h"
#include "engine/passes/rewriter.h"

namespace forger {

Graph expand_batch_norm(const Graph& graph) {
  const auto uses = count_uses(graph);
  const auto is_linear = [&](ValueId id) {
    const std::string_view op = graph.producer(id).op->name;
    return uses[static_cast<size_t>(id)] == 1 && (op == "conv2d" || op == "conv2d_input_grad" || op == "matmul");
  };
  std::vector<bool> in_scalar_op(static_cast<size_t>(graph.num_values()), false);
  for (const Node& node : graph.nodes()) {
    if (!scalar_op_of(*node.op)) continue;
    for (ValueId id : node.inputs) in_scalar_op[static_cast<size_t>(id)] = uses[static_cast<size_t>(id)] == 1;
  }
  Rewriter rewriter(graph);
  for (const Node& node : graph.nodes()) {
    const bool joins = node.op->name == "batch_norm_inference" &&
                       (is_linear(node.inputs[0]) || in_scalar_op[static_cast<size_t>(node.outputs[0])]);
    if (!joins) {
      rewriter.copy(node);
      continue;
    }
    const PathScope scope(rewriter.out(), node.path);
    const Shape& shape = graph.type(node.outputs[0]).shape;
    const auto input = [&](size_t i) { return broadcast_to(rewriter.out().value(rewriter.mapped(node.inputs[i])), shape); };
    const Value x = rewriter.out().value(rewriter.mapped(node.inputs[0]));
    const Value gamma = input(1), beta = input(2), mean = input(3), variance = input(4);
    const Value inv_std = unary(ScalarOp::rsqrt, shift(variance, node.attributes.real("epsilon")));
    rewriter.replace(node.outputs[0], add(mul(sub(x, mean), mul(gamma, inv_std)), beta).id());
  }
  return rewriter.finish();
}

}  // namespace forger
