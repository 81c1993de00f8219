// The frame of every pass: walk a graph in order, copy or replace its nodes into a new one.
#pragma once

#include <optional>

#include "engine/graph/graph.h"

namespace forger {

class Rewriter {
 public:
  explicit Rewriter(const Graph& graph) : in_(graph), out_(graph.real()), map_(static_cast<size_t>(graph.num_values()), -1) {}

  const Graph& in() const { return in_; }
  Graph& out() { return out_; }

  /// The new value that stands for an old one; -1 if it has not been copied.
  ValueId mapped(ValueId old) const { return map_[static_cast<size_t>(old)]; }
  std::vector<ValueId> mapped(const std::vector<ValueId>& old) const;
  void replace(ValueId old, ValueId with) { map_[static_cast<size_t>(old)] = with; }

  /// Copies variables and inputs, which need nothing, so that they are there for nodes that move up.
  void copy_sources();
  /// Copies a node with its inputs mapped.
  void copy(const Node& node);
  /// Appends another node in its place: outputs stand for the old node's, one by one.
  void copy_as(const Node& node, const OpSpec& op, std::vector<ValueId> mapped_inputs, Attributes attributes);
  /// Carries variables and outputs over and verifies the result.
  Graph finish();

 private:
  const Graph& in_;
  Graph out_;
  std::vector<ValueId> map_;
};

/// How many nodes read each value; an output or an update of a variable counts as a reader.
std::vector<int> count_uses(const Graph& graph);

/// Where nodes of a graph stand that a pass joins: two that are joined come at the place of one of them.
class Places {
 public:
  explicit Places(const Graph& graph);

  /// Joins two nodes, of which `second` reads `first`: at second's place if nothing before it reads first, else at first's if
  /// there is all that second reads, sources apart, and nobody reads later what second updates. Returns the node at whose place
  /// they are; nothing, and they are not joined, if neither can be. To be asked in the order of the second nodes.
  std::optional<NodeId> join(const Node& first, const Node& second);

 private:
  const Graph& graph_;
  std::vector<NodeId> place_;                 // by node
  std::vector<std::vector<NodeId>> readers_;  // by node
};

}  // namespace forger
