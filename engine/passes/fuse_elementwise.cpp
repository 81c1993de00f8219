#include <algorithm>
#include <map>
#include <optional>

#include "engine/ops/op_spec.h"
#include "engine/passes/passes.h"
#include "engine/passes/rewriter.h"

namespace forger {
namespace {

constexpr size_t kMaxInputs = 12, kMaxInstructions = 24;  // a tape's temporaries should stay in L1

/// True if `shape` repeats along the leading axes of `to`: then broadcast_to is only a way of reading.
bool is_suffix(const Shape& shape, const Shape& to) {
  return num_elements(shape) == 1 || (shape.size() <= to.size() && std::equal(shape.rbegin(), shape.rend(), to.rbegin()));
}

class Fuser {
 public:
  explicit Fuser(const Graph& graph) : graph_(graph), uses_(count_uses(graph)), absorbed_(graph.nodes().size(), false) {}

  Graph run() {
    for (const Node& node : graph_.nodes()) mark_absorbed(node);
    Rewriter rewriter(graph_);
    for (const Node& node : graph_.nodes()) {
      if (absorbed_[static_cast<size_t>(node.id)]) continue;
      if (is_elementwise(node)) {
        emit(rewriter, node);
      } else {
        rewriter.copy(node);
      }
    }
    return rewriter.finish();
  }

 private:
  static bool is_dropout(const Node& node) { return node.op->name == "dropout"; }
  static bool is_elementwise(const Node& node) {
    return scalar_op_of(*node.op) || node.op->name == "bias_add" || is_dropout(node);
  }
  /// Inputs that are tensors: not dropout's seed and step.
  static size_t num_operands(const Node& node) { return is_dropout(node) ? 1 : node.inputs.size(); }

  bool is_free_broadcast(const Node& node) const {
    return node.op->name == "broadcast_to" && is_suffix(graph_.type(node.inputs[0]).shape, graph_.type(node.outputs[0]).shape);
  }

  /// Seed and step of a tree's dropouts; nothing while it has none.
  using Random = std::optional<std::pair<ValueId, ValueId>>;

  /// Producers of `node`'s operands are absorbed if nothing else reads them. A tree is cut before it gets too large, and
  /// where dropouts of different seeds or steps would meet.
  void mark_absorbed(const Node& node) {
    if (!is_elementwise(node)) return;
    size_t instructions = 1, inputs = 0;
    Random random = is_dropout(node) ? Random({node.inputs[1], node.inputs[2]}) : std::nullopt;
    for (size_t i = 0; i < num_operands(node); ++i) {
      const ValueId id = node.inputs[i];
      const Node& producer = graph_.producer(id);
      const auto it = tree_.find(producer.id);
      const bool same_shape = graph_.type(id).shape == graph_.type(node.outputs[0]).shape;
      const bool only_reader = uses_[static_cast<size_t>(id)] == 1;
      if (is_elementwise(producer) && only_reader && same_shape && instructions + it->second.instructions < kMaxInstructions &&
          inputs + it->second.inputs < kMaxInputs && (!random || !it->second.random || random == it->second.random)) {
        absorbed_[static_cast<size_t>(producer.id)] = true;
        instructions += it->second.instructions;
        inputs += it->second.inputs;
        if (!random) random = it->second.random;
      } else {
        if (is_free_broadcast(producer) && only_reader) absorbed_[static_cast<size_t>(producer.id)] = true;
        ++inputs;
      }
    }
    tree_[node.id] = {instructions, inputs, random};
  }

  struct Builder {
    std::vector<ValueId> inputs;  // old ids
    std::vector<TapeInstruction> instructions;
    std::vector<std::pair<bool, size_t>> operands;  // per instruction operand: (is instruction, index)
  };

  static TapeInstruction instruction_of(const Node& node) {
    const Attributes& at = node.attributes;
    if (is_dropout(node)) return {ScalarOp::dropout, 0, 0, at.real("rate"), static_cast<uint64_t>(at.integer("stream"))};
    const ScalarOp* op = scalar_op_of(*node.op);
    return {op ? *op : ScalarOp::add, 0, 0, at.has("p") ? at.real("p") : 0.0};
  }

  /// Appends the tree below `id` and returns its operand: an input or an instruction.
  std::pair<bool, size_t> build(Builder& b, ValueId id, bool root) {
    const Node& node = graph_.producer(id);
    if (!root && !(is_elementwise(node) && absorbed_[static_cast<size_t>(node.id)])) {
      // A broadcast is read through: its operand is an input with a smaller period.
      const ValueId source = is_free_broadcast(node) ? node.inputs[0] : id;
      const auto it = std::find(b.inputs.begin(), b.inputs.end(), source);
      if (it != b.inputs.end()) return {false, static_cast<size_t>(it - b.inputs.begin())};
      b.inputs.push_back(source);
      return {false, b.inputs.size() - 1};
    }
    const auto first = build(b, node.inputs[0], false);
    const auto second = num_operands(node) > 1 ? build(b, node.inputs[1], false) : first;
    b.instructions.push_back(instruction_of(node));
    b.operands.insert(b.operands.end(), {first, second});
    return {true, b.instructions.size() - 1};
  }

  void emit(Rewriter& rewriter, const Node& node) {
    Builder b;
    build(b, node.outputs[0], true);
    const bool reads_plainly = is_dropout(node) ? b.inputs[0] == node.inputs[0]
                                                : b.inputs == node.inputs || (b.inputs.size() == 1 && node.inputs.size() == 2);
    if (b.instructions.size() == 1 && reads_plainly) {
      rewriter.copy(node);
      return;
    }
    ElementwiseTape tape{static_cast<uint16_t>(b.inputs.size()), b.instructions};
    const auto number = [&](std::pair<bool, size_t> operand) {
      return static_cast<uint16_t>(operand.second + (operand.first ? b.inputs.size() : 0));
    };
    for (size_t i = 0; i < tape.instructions.size(); ++i) {
      tape.instructions[i].a = number(b.operands[2 * i]);
      tape.instructions[i].b = number(b.operands[2 * i + 1]);
    }
    if (const Random random = tree_.at(node.id).random) b.inputs.insert(b.inputs.end(), {random->first, random->second});
    rewriter.copy_as(node, find_op("fused_elementwise"), rewriter.mapped(b.inputs),
                     {{"tape", std::move(tape)}, {"shape", graph_.type(node.outputs[0]).shape}});
  }

  const Graph& graph_;
  std::vector<int> uses_;
  std::vector<bool> absorbed_;
  struct Tree {
    size_t instructions, inputs;
    Random random;
  };
  std::map<NodeId, Tree> tree_;  // that ends in a node
};

}  // namespace

Graph fuse_elementwise(const Graph& graph) {
  return Fuser(graph).run();
}

std::span<const Pass> default_passes(bool fuse_statistics) {
  static const auto make = [](bool statistics) {
    std::vector<Pass> passes = {{"simplify", simplify},
                                {"cse", cse},
                                {"dce", dce},
                                {"fuse_bias", fuse_bias},
                                {"fuse_elementwise", fuse_elementwise},
                                {"fuse_batch_norm", fuse_batch_norm},
                                {"dce", dce}};
    if (statistics) passes.push_back({"fuse_batch_norm_statistics", fuse_batch_norm_statistics});
    passes.insert(passes.end(), {{"fuse_vector_grads", fuse_vector_grads}, {"fuse_small", fuse_small}, {"fuse_head", fuse_head}});
    return passes;
  };
  static const std::vector<Pass> with = make(true), without = make(false);
  return fuse_statistics ? with : without;
}

}  // namespace forger
