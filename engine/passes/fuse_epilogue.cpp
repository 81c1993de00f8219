// Elementwise work on the result of a convolution or a matrix product goes into the kernel that makes it: one launch less, and
// the result is neither written nor read in between.
//
// The node moves down to its one reader, whose other operands become its own (engine/ops/epilogue.h). Reshapes between the two
// move behind them.
#include <algorithm>
#include <optional>
#include <span>

#include "engine/ops/block_program.h"
#include "engine/ops/epilogue.h"
#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"
#include "engine/passes/node_tape.h"
#include "engine/passes/passes.h"
#include "engine/passes/rewriter.h"

namespace forger {
namespace {

/// A head's product has none: what follows it is a program's (fuse_head), loss and metrics included.
bool takes_epilogue(const Graph& graph, const Node& node) {
  const bool linear = node.op->name == "conv2d" || node.op->name == "conv2d_input_grad" || node.op->name == "matmul";
  return linear && !epilogue_of(node.attributes) && !is_vector_product(graph, node);
}

class Fuser {
 public:
  explicit Fuser(const Graph& graph) : graph_(graph), uses_(count_uses(graph)), producer_(graph.nodes().size(), nullptr) {}

  Graph run() {
    std::vector<bool> moved(graph_.nodes().size(), false);
    for (const Node& node : graph_.nodes()) {
      const auto operand = choose_operand(node);
      if (!operand) continue;
      producer_[static_cast<size_t>(node.id)] = behind_views(*operand);
      for (ValueId id = *operand;; id = graph_.producer(id).inputs[0]) {
        moved[static_cast<size_t>(graph_.producer(id).id)] = true;
        if (graph_.producer(id).op->name != "reshape") break;
      }
    }
    Rewriter rewriter(graph_);
    for (const Node& node : graph_.nodes()) {
      if (moved[static_cast<size_t>(node.id)]) continue;
      if (producer_[static_cast<size_t>(node.id)]) {
        emit(rewriter, node, *choose_operand(node), *producer_[static_cast<size_t>(node.id)]);
      } else {
        rewriter.copy(node);
      }
    }
    return rewriter.finish();
  }

 private:
  /// What computes `id`, reshapes apart; null if something else reads it.
  const Node* behind_views(ValueId id) const {
    while (uses_[static_cast<size_t>(id)] == 1) {
      const Node& node = graph_.producer(id);
      if (node.op->name != "reshape") return &node;
      id = node.inputs[0];
    }
    return nullptr;
  }

  /// The operand of an elementwise node whose producer it joins: of several, that of the last, which is the nearest.
  std::optional<ValueId> choose_operand(const Node& node) const {
    const auto tape = node_tape(node);
    if (!tape) return std::nullopt;
    const TensorType& out = graph_.type(node.outputs[0]);
    std::optional<ValueId> best;
    for (size_t i = 0; i < tape->inputs.size(); ++i) {
      const Node* from = behind_views(tape->inputs[i]);
      if (!from || !takes_epilogue(graph_, *from) || graph_.type(tape->inputs[i]) != out) continue;
      NodeTape turned = *tape;
      put_first(turned, i);
      if (!epilogue_program(turned.tape)) continue;
      // With another shape, only what has no period of its own stays what it is.
      const bool same_shape = graph_.type(from->outputs[0]) == out;
      const bool no_periods = std::all_of(tape->inputs.begin(), tape->inputs.end(), [&](ValueId id) {
        return graph_.type(id).size() == out.size() || graph_.type(id).size() == 1;
      });
      if ((same_shape || no_periods) && (!best || from->id > behind_views(*best)->id)) best = tape->inputs[i];
    }
    return best;
  }

  static void emit(Rewriter& rewriter, const Node& node, ValueId operand, const Node& from) {
    const Graph& graph = rewriter.in();
    Graph& out = rewriter.out();
    NodeTape tape = *node_tape(node);
    put_first(tape, static_cast<size_t>(std::find(tape.inputs.begin(), tape.inputs.end(), operand) - tape.inputs.begin()));
    Attributes attributes = from.attributes;
    attributes.set("epilogue", tape.tape);

    const Shape& shape = graph.type(from.outputs[0]).shape;
    const bool reshaped = shape != graph.type(node.outputs[0]).shape;
    std::vector<ValueId> inputs = rewriter.mapped(from.inputs);
    for (ValueId id : std::span(tape.inputs).subspan(1)) {
      const Value value = out.value(rewriter.mapped(id));
      inputs.push_back(reshaped && value.type().size() != 1 ? reshape(value, shape).id() : value.id());
    }
    for (ValueId id : tape.random) inputs.push_back(rewriter.mapped(id));
    const Value result = out.append(*from.op, node.path, std::move(inputs), std::move(attributes))[0];
    rewriter.replace(node.outputs[0], reshaped ? reshape(result, graph.type(node.outputs[0]).shape).id() : result.id());
  }

  const Graph& graph_;
  std::vector<int> uses_;
  std::vector<const Node*> producer_;  // of each elementwise node's result from now on
};

}  // namespace

Graph fuse_epilogue(const Graph& graph) {
  return Fuser(graph).run();
}

}  // namespace forger
