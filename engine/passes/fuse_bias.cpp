#include "engine/ops/op_spec.h"
#include "engine/passes/passes.h"
#include "engine/passes/rewriter.h"

namespace forger {

Graph fuse_bias(const Graph& graph) {
  const auto uses = count_uses(graph);
  const auto takes_bias = [&](ValueId id) {
    const Node& n = graph.producer(id);
    const bool linear = n.op->name == "conv2d" || n.op->name == "conv2d_input_grad" || n.op->name == "matmul";
    return linear && n.inputs.size() == 2 && uses[static_cast<size_t>(id)] == 1;
  };
  // The linear node moves down to its bias_add, where both operands are at hand.
  std::vector<bool> moved(graph.nodes().size(), false);
  for (const Node& node : graph.nodes()) {
    if (node.op->name == "bias_add" && takes_bias(node.inputs[0])) {
      moved[static_cast<size_t>(graph.producer(node.inputs[0]).id)] = true;
    }
  }
  Rewriter rewriter(graph);
  for (const Node& node : graph.nodes()) {
    if (moved[static_cast<size_t>(node.id)]) continue;
    if (node.op->name == "bias_add" && moved[static_cast<size_t>(graph.producer(node.inputs[0]).id)]) {
      const Node& linear = graph.producer(node.inputs[0]);
      auto inputs = rewriter.mapped(linear.inputs);
      inputs.push_back(rewriter.mapped(node.inputs[1]));
      rewriter.copy_as(node, *linear.op, std::move(inputs), linear.attributes);
    } else {
      rewriter.copy(node);
    }
  }
  return rewriter.finish();
}

}  // namespace forger
