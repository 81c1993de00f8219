#include "engine/passes/rewriter.h"

#include <algorithm>

namespace forger {

std::vector<ValueId> Rewriter::mapped(const std::vector<ValueId>& old) const {
  std::vector<ValueId> ids;
  for (ValueId id : old) ids.push_back(mapped(id));
  return ids;
}

void Rewriter::copy(const Node& node) {
  copy_as(node, *node.op, mapped(node.inputs), node.attributes);
}

void Rewriter::copy_as(const Node& node, const OpSpec& op, std::vector<ValueId> mapped_inputs, Attributes attributes) {
  const auto results = out_.append(op, node.path, std::move(mapped_inputs), std::move(attributes));
  for (size_t i = 0; i < results.size(); ++i) replace(node.outputs[i], results[i].id());
}

Graph Rewriter::finish() {
  for (Variable v : in_.variables()) {
    v.current = mapped(v.current);
    v.updated = mapped(v.updated);
    out_.add_variable(std::move(v));
  }
  for (const auto& [name, id] : in_.outputs()) out_.output(name, out_.value(mapped(id)));
  verify(out_);
  return std::move(out_);
}

std::vector<int> count_uses(const Graph& graph) {
  std::vector<int> uses(static_cast<size_t>(graph.num_values()), 0);
  for (const Node& node : graph.nodes()) {
    std::vector<ValueId> inputs = node.inputs;
    std::sort(inputs.begin(), inputs.end());
    inputs.erase(std::unique(inputs.begin(), inputs.end()), inputs.end());
    for (ValueId id : inputs) ++uses[static_cast<size_t>(id)];
  }
  for (const Variable& v : graph.variables()) ++uses[static_cast<size_t>(v.updated)];
  for (const auto& [name, id] : graph.outputs()) ++uses[static_cast<size_t>(id)];
  return uses;
}

}  // namespace forger
