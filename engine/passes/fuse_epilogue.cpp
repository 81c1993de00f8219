// Elementwise work on the result of a convolution or a matrix product goes into the kernel that makes it: one launch less, and
// the result is neither written nor read in between.
//
// The node moves down to its one reader, whose other operands become its own (engine/ops/epilogue.h).
#include <algorithm>

#include "engine/ops/epilogue.h"
#include "engine/ops/op_spec.h"
#include "engine/passes/passes.h"
#include "engine/passes/rewriter.h"

namespace forger {
namespace {

bool takes_epilogue(const Node& node) {
  const bool linear = node.op->name == "conv2d" || node.op->name == "conv2d_input_grad" || node.op->name == "matmul";
  return linear && !epilogue_of(node.attributes);
}

/// An elementwise node as a tape and the tape's inputs; no instructions for other nodes.
struct Elementwise {
  ElementwiseTape tape;
  std::vector<ValueId> inputs;  // of the tape
  std::vector<ValueId> random;  // seed and step, if the tape has a dropout
};

Elementwise elementwise_of(const Node& node) {
  const auto inputs = [&](size_t count) {
    return std::vector<ValueId>(node.inputs.begin(), node.inputs.begin() + static_cast<std::ptrdiff_t>(count));
  };
  Elementwise e;
  if (node.op->name == "fused_elementwise") {
    e.tape = node.attributes.get<ElementwiseTape>("tape");
  } else if (node.op->name == "dropout") {
    e.tape = {
        1, {{ScalarOp::dropout, 0, 0, node.attributes.real("rate"), static_cast<uint64_t>(node.attributes.integer("stream"))}}};
  } else if (const ScalarOp* op = scalar_op_of(*node.op)) {
    const bool two = is_binary(*op);
    const bool squared = two && node.inputs[0] == node.inputs[1];  // one input, read twice
    e.tape = {
        static_cast<uint16_t>(two && !squared ? 2 : 1),
        {{*op, 0, static_cast<uint16_t>(two && !squared ? 1 : 0), node.attributes.has("p") ? node.attributes.real("p") : 0.0}}};
  } else {
    return e;
  }
  e.inputs = inputs(e.tape.num_inputs);
  if (draws_random(e.tape)) e.random.assign(node.inputs.end() - 2, node.inputs.end());
  return e;
}

/// The same tape with input `first` in front.
ElementwiseTape with_first(const ElementwiseTape& tape, size_t first) {
  ElementwiseTape result = tape;
  const auto renumbered = [&](uint16_t value) {
    if (value == first) return uint16_t{0};
    return value < first ? static_cast<uint16_t>(value + 1) : value;
  };
  for (TapeInstruction& t : result.instructions) {
    t.a = renumbered(t.a);
    t.b = renumbered(t.b);
  }
  return result;
}

class Fuser {
 public:
  explicit Fuser(const Graph& graph) : graph_(graph), uses_(count_uses(graph)), producer_(graph.nodes().size(), nullptr) {}

  Graph run() {
    std::vector<bool> moved(graph_.nodes().size(), false);
    for (const Node& node : graph_.nodes()) {
      const Node* from = choose_producer(node);
      producer_[static_cast<size_t>(node.id)] = from;
      if (from) moved[static_cast<size_t>(from->id)] = true;
    }
    Rewriter rewriter(graph_);
    for (const Node& node : graph_.nodes()) {
      if (moved[static_cast<size_t>(node.id)]) continue;
      if (const Node* from = producer_[static_cast<size_t>(node.id)]) {
        emit(rewriter, node, *from);
      } else {
        rewriter.copy(node);
      }
    }
    return rewriter.finish();
  }

 private:
  /// The node whose epilogue an elementwise node becomes: of several, the last, which is the nearest.
  const Node* choose_producer(const Node& node) const {
    const Elementwise e = elementwise_of(node);
    const Node* best = nullptr;
    for (size_t i = 0; i < e.inputs.size(); ++i) {
      const ValueId id = e.inputs[i];
      const Node& from = graph_.producer(id);
      const bool fits = takes_epilogue(from) && uses_[static_cast<size_t>(id)] == 1 &&
                        graph_.type(id) == graph_.type(node.outputs[0]) && epilogue_program(with_first(e.tape, i));
      if (fits && (!best || from.id > best->id)) best = &from;
    }
    return best;
  }

  static void emit(Rewriter& rewriter, const Node& node, const Node& from) {
    Elementwise e = elementwise_of(node);
    const auto first = std::find(e.inputs.begin(), e.inputs.end(), from.outputs[0]);
    Attributes attributes = from.attributes;
    attributes.set("epilogue", with_first(e.tape, static_cast<size_t>(first - e.inputs.begin())));
    e.inputs.erase(first);
    std::vector<ValueId> inputs = from.inputs;
    inputs.insert(inputs.end(), e.inputs.begin(), e.inputs.end());
    inputs.insert(inputs.end(), e.random.begin(), e.random.end());
    rewriter.copy_as(node, *from.op, rewriter.mapped(inputs), std::move(attributes));
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
