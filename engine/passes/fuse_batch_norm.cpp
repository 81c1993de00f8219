#include <algorithm>
#include <map>
#include <set>

#include "engine/ops/op_spec.h"
#include "engine/passes/node_tape.h"
#include "engine/passes/passes.h"
#include "engine/passes/rewriter.h"
#include "kernels/common/epilogue.h"

namespace forger {
namespace {

/// Batch norms take tapes where nothing else reads what passes between the two nodes: the forward pass behind it, on y;
/// the backward pass in front of it, on dy.
class BatchNormFuser {
 public:
  explicit BatchNormFuser(const Graph& graph) : graph_(graph), uses_(count_uses(graph)) {}

  Graph run() {
    for (const Node& node : graph_.nodes()) find_epilogue(node);
    for (const Node& node : graph_.nodes()) find_prologue(node);
    Rewriter rewriter(graph_);
    for (const Node& node : graph_.nodes()) {
      if (gone_.contains(node.id)) continue;
      if (const auto it = epilogues_.find(node.id); it != epilogues_.end()) {
        emit_forward(rewriter, node, it->second);
      } else if (const auto of = prologues_.find(node.id); of != prologues_.end()) {
        emit_backward(rewriter, node, of->second);
      } else {
        rewriter.copy(node);
      }
    }
    return rewriter.finish();
  }

 private:
  struct Fused {
    NodeId norm;
    NodeTape tape;
  };

  /// The batch norm moves down to the node behind it, where that node's other operands are at hand: nothing in between may
  /// read its statistics.
  void find_epilogue(const Node& node) {
    auto tape = node_tape(node);
    if (!tape) return;
    for (size_t i = 0; i < tape->inputs.size(); ++i) {
      const ValueId y = tape->inputs[i];
      const Node& norm = graph_.producer(y);
      const bool takes = norm.op->name == "batch_norm_training" && y == norm.outputs[0] && !norm.attributes.has("epilogue");
      if (!takes || uses_[static_cast<size_t>(y)] != 1 || graph_.type(y) != graph_.type(node.outputs[0])) continue;
      if (read_between(norm, node)) continue;
      put_first(*tape, i);
      if (!epilogue_program(tape->tape)) return;
      gone_.insert(norm.id);
      epilogues_.emplace(node.id, Fused{norm.id, std::move(*tape)});
      return;
    }
  }

  bool read_between(const Node& norm, const Node& node) const {
    const auto reads = [&](ValueId id) { return std::find(norm.outputs.begin(), norm.outputs.end(), id) != norm.outputs.end(); };
    for (NodeId id = norm.id + 1; id < node.id; ++id) {
      const auto& inputs = graph_.node(id).inputs;
      if (std::any_of(inputs.begin(), inputs.end(), reads)) return true;
    }
    // The node itself may read y, and nothing else.
    return std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) { return id != norm.outputs[0] && reads(id); });
  }

  void find_prologue(const Node& node) {
    if (node.op->name != "batch_norm_grad" || node.attributes.has("prologue")) return;
    const ValueId dy = node.inputs[1];
    const Node& before = graph_.producer(dy);
    auto tape = node_tape(before);
    if (!tape || uses_[static_cast<size_t>(dy)] != 1 || epilogues_.contains(before.id)) return;
    const auto is_full = [&](ValueId id) { return graph_.type(id) == graph_.type(dy); };
    const auto first = std::find_if(tape->inputs.begin(), tape->inputs.end(), is_full);
    if (first == tape->inputs.end()) return;
    put_first(*tape, static_cast<size_t>(first - tape->inputs.begin()));
    if (!epilogue_program(tape->tape)) return;
    gone_.insert(before.id);
    prologues_.emplace(node.id, std::move(*tape));
  }

  static void append(std::vector<ValueId>& inputs, const Rewriter& rewriter, const NodeTape& tape) {
    for (size_t i = 1; i < tape.inputs.size(); ++i) inputs.push_back(rewriter.mapped(tape.inputs[i]));
    for (ValueId id : tape.random) inputs.push_back(rewriter.mapped(id));
  }

  void emit_forward(Rewriter& rewriter, const Node& behind, const Fused& fused) {
    const Node& norm = graph_.node(fused.norm);
    auto inputs = rewriter.mapped(norm.inputs);
    append(inputs, rewriter, fused.tape);
    Attributes attributes = norm.attributes;
    attributes.set("epilogue", fused.tape.tape);
    rewriter.copy_as(norm, *norm.op, std::move(inputs), std::move(attributes));
    rewriter.replace(behind.outputs[0], rewriter.mapped(norm.outputs[0]));
  }

  void emit_backward(Rewriter& rewriter, const Node& node, const NodeTape& tape) {
    auto inputs = rewriter.mapped(node.inputs);
    inputs[1] = rewriter.mapped(tape.inputs[0]);
    append(inputs, rewriter, tape);
    Attributes attributes = node.attributes;
    attributes.set("prologue", tape.tape);
    rewriter.copy_as(node, *node.op, std::move(inputs), std::move(attributes));
  }

  const Graph& graph_;
  std::vector<int> uses_;
  std::set<NodeId> gone_;                 // nodes that others have taken in
  std::map<NodeId, Fused> epilogues_;     // by the node behind a batch norm
  std::map<NodeId, NodeTape> prologues_;  // by batch_norm_grad
};

}  // namespace

Graph fuse_batch_norm(const Graph& graph) {
  return BatchNormFuser(graph).run();
}

}  // namespace forger
