// The frame of every pass: walk a graph in order, copy or replace its nodes into a new one.
#pragma once

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

}  // namespace forger
