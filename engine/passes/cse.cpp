#include <algorithm>
#include <map>

#include "engine/ops/op_spec.h"
#include "engine/passes/passes.h"
#include "engine/passes/rewriter.h"

namespace forger {

Graph cse(const Graph& graph) {
  Rewriter rewriter(graph);
  // Nodes seen so far by op and (new) inputs; attributes are compared one by one.
  std::map<std::pair<const OpSpec*, std::vector<ValueId>>, std::vector<const Node*>> seen;
  for (const Node& node : graph.nodes()) {
    if (node.op->is_source) {
      rewriter.copy(node);
      continue;
    }
    auto& twins = seen[{node.op, rewriter.mapped(node.inputs)}];
    const auto twin = std::find_if(twins.begin(), twins.end(), [&](const Node* n) { return n->attributes == node.attributes; });
    if (twin == twins.end()) {
      rewriter.copy(node);
      twins.push_back(&node);
    } else {
      for (size_t i = 0; i < node.outputs.size(); ++i) rewriter.replace(node.outputs[i], rewriter.mapped((*twin)->outputs[i]));
    }
  }
  return rewriter.finish();
}

}  // namespace forger
