#include "engine/passes/rewriter.h"

#include <algorithm>

#include "engine/ops/op_spec.h"

namespace forger {

std::vector<ValueId> Rewriter::mapped(const std::vector<ValueId>& old) const {
  std::vector<ValueId> ids;
  for (ValueId id : old) ids.push_back(mapped(id));
  return ids;
}

void Rewriter::copy_sources() {
  for (const Node& node : in_.nodes()) {
    if (node.op->is_source) copy(node);
  }
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

Places::Places(const Graph& graph) : graph_(graph), readers_(graph.nodes().size()) {
  for (const Node& node : graph.nodes()) {
    place_.push_back(node.id);
    for (ValueId id : node.inputs) readers_[static_cast<size_t>(graph.producer(id).id)].push_back(node.id);
  }
}

std::optional<NodeId> Places::join(const Node& first, const Node& second) {
  const auto place_of = [&](NodeId id) -> NodeId& { return place_[static_cast<size_t>(id)]; };
  const auto& readers = readers_[static_cast<size_t>(first.id)];
  const bool reads_before =
      std::any_of(readers.begin(), readers.end(), [&](NodeId id) { return id != second.id && place_of(id) < second.id; });
  const bool is_there = std::all_of(second.inputs.begin(), second.inputs.end(), [&](ValueId id) {
    const Node& producer = graph_.producer(id);
    return producer.id == first.id || producer.op->is_source || place_of(producer.id) < first.id;
  });
  // What second updates in place (a running mean) must have been read by all others by then.
  const bool updates_early = std::any_of(graph_.variables().begin(), graph_.variables().end(), [&](const Variable& v) {
    if (v.updated == v.current || graph_.producer(v.updated).id != second.id) return false;
    const auto& others = readers_[static_cast<size_t>(graph_.producer(v.current).id)];
    return std::any_of(others.begin(), others.end(), [&](NodeId id) { return id != second.id && place_of(id) > first.id; });
  });
  if (reads_before && (!is_there || updates_early)) return std::nullopt;
  return place_of(first.id) = place_of(second.id) = reads_before ? first.id : second.id;
}

}  // namespace forger
