#include "engine/ops/op_spec.h"
#include "engine/passes/passes.h"
#include "engine/passes/rewriter.h"

namespace forger {

Graph dce(const Graph& graph) {
  std::vector<bool> live(static_cast<size_t>(graph.num_values()), false);
  for (const Variable& v : graph.variables()) live[static_cast<size_t>(v.updated)] = true;
  for (const auto& [name, id] : graph.outputs()) live[static_cast<size_t>(id)] = true;

  std::vector<bool> keep(graph.nodes().size(), false);
  for (auto node = graph.nodes().rbegin(); node != graph.nodes().rend(); ++node) {
    bool needed = node->op->is_source;  // variables and inputs are the graph's signature
    for (ValueId id : node->outputs) needed = needed || live[static_cast<size_t>(id)];
    if (!needed) continue;
    keep[static_cast<size_t>(node->id)] = true;
    for (ValueId id : node->inputs) live[static_cast<size_t>(id)] = true;
  }

  Rewriter rewriter(graph);
  for (const Node& node : graph.nodes()) {
    if (keep[static_cast<size_t>(node.id)]) rewriter.copy(node);
  }
  return rewriter.finish();
}

}  // namespace forger
