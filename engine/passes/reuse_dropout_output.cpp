// Lets the backward pass of an activation in front of a dropout read what comes out of the dropout.
//
//   a = relu(x), d = dropout(a)                      forward
//   dx = slope(a) * dropout(dy)                      backward, with the same mask
//
// slope(d) will do: where the mask is 0 the product is 0 whatever the slope; where it is not, d is a times a factor of at
// least 1 and has its sign. So a is read by the dropout alone: activation and dropout can become one node, and a needs no
// memory until the backward pass. Not a bit changes.
#include <map>

#include "engine/ops/op_spec.h"
#include "engine/passes/passes.h"
#include "engine/passes/rewriter.h"

namespace forger {
namespace {

class Reuse {
 public:
  explicit Reuse(const Graph& graph) : graph_(graph), readers_(static_cast<size_t>(graph.num_values())) {
    for (const Node& node : graph.nodes()) {
      for (ValueId id : node.inputs) readers_[static_cast<size_t>(id)].push_back(&node);
    }
    for (const Variable& v : graph.variables()) readers_[static_cast<size_t>(v.updated)].push_back(nullptr);
    for (const auto& [name, id] : graph.outputs()) readers_[static_cast<size_t>(id)].push_back(nullptr);
  }

  Graph run() {
    for (const Node& node : graph_.nodes()) {
      if (node.op->name == "dropout" && slope_of(graph_.producer(node.inputs[0]))) redirect(node);
    }
    Rewriter rewriter(graph_);
    for (const Node& node : graph_.nodes()) {
      const auto source = source_.find(node.id);
      if (source == source_.end()) {
        rewriter.copy(node);
      } else {
        rewriter.copy_as(node, *node.op, {rewriter.mapped(source->second)}, node.attributes);
      }
    }
    return rewriter.finish();
  }

 private:
  /// The op that is an activation's slope as a function of its result; null for other nodes.
  static const char* slope_of(const Node& node) {
    if (node.op->name == "relu") return "heaviside";
    if (node.op->name == "leaky_relu" && node.attributes.real("p") > 0) return "leaky_slope";
    return nullptr;
  }

  static bool same_mask(const Node& a, const Node& b) {
    return a.op->name == "dropout" && a.attributes == b.attributes && a.inputs[1] == b.inputs[1] && a.inputs[2] == b.inputs[2];
  }

  /// True if nothing that reads `slope` depends on its elements where `dropout` drops.
  bool is_masked(const Node& slope, const Node& dropout) const {
    for (const Node* reader : readers_[static_cast<size_t>(slope.outputs[0])]) {
      if (!reader || reader->op->name != "mul") return false;
      const ValueId other = reader->inputs[reader->inputs[0] == slope.outputs[0] ? 1 : 0];
      if (same_mask(graph_.producer(other), dropout)) continue;
      for (const Node* next : readers_[static_cast<size_t>(reader->outputs[0])]) {
        if (!next || !same_mask(*next, dropout)) return false;
      }
    }
    return true;
  }

  /// Slopes of the dropout's operand read its result, where they may and it is there.
  void redirect(const Node& dropout) {
    const Node& activation = graph_.producer(dropout.inputs[0]);
    for (const Node* reader : readers_[static_cast<size_t>(activation.outputs[0])]) {
      if (!reader || reader->op->name != slope_of(activation) || reader->id < dropout.id) continue;
      const bool same_slope = !activation.attributes.has("p") || reader->attributes.real("p") == activation.attributes.real("p");
      if (same_slope && is_masked(*reader, dropout)) source_[reader->id] = dropout.outputs[0];
    }
  }

  const Graph& graph_;
  std::vector<std::vector<const Node*>> readers_;  // of each value; null: an output or an update
  std::map<NodeId, ValueId> source_;               // slope node -> what it reads instead
};

}  // namespace

Graph reuse_dropout_output(const Graph& graph) {
  return Reuse(graph).run();
}

}  // namespace forger
