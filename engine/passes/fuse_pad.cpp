#include <optional>

#include "engine/ops/op_spec.h"
#include "engine/passes/passes.h"
#include "engine/passes/rewriter.h"

namespace forger {

Graph fuse_pad(const Graph& graph) {
  const auto uses = count_uses(graph);
  const auto is_lone_pad = [&](ValueId id) { return graph.producer(id).op->name == "pad" && uses[static_cast<size_t>(id)] == 1; };
  // The pad among a node's operands, if it can go: both of a sum may be one, of a difference the second.
  const auto padded_operand = [&](const Node& node) -> std::optional<size_t> {
    const bool sum = node.op->name == "add";
    if (!sum && node.op->name != "sub") return std::nullopt;
    if (node.inputs[0] == node.inputs[1]) return std::nullopt;
    if (is_lone_pad(node.inputs[1])) return 1;
    if (sum && is_lone_pad(node.inputs[0])) return 0;
    return std::nullopt;
  };
  Rewriter rewriter(graph);
  for (const Node& node : graph.nodes()) {
    const auto operand = padded_operand(node);
    if (!operand) {
      rewriter.copy(node);
      continue;
    }
    const Node& pad = graph.producer(node.inputs[*operand]);
    rewriter.copy_as(node, find_op("window_add"), {rewriter.mapped(node.inputs[1 - *operand]), rewriter.mapped(pad.inputs[0])},
                     {{"begin", pad.attributes.list("before")}, {"p", node.op->name == "add" ? 1.0 : -1.0}});
  }
  return rewriter.finish();
}

}  // namespace forger
