#include "engine/passes/node_tape.h"

#include <algorithm>

#include "engine/ops/op_spec.h"

namespace forger {
namespace {

/// Gives value numbers of inputs new ones.
template <class F>
void renumber_inputs(ElementwiseTape& tape, const F& number) {
  for (TapeInstruction& t : tape.instructions) {
    t.a = number(t.a);
    t.b = number(t.b);
  }
}

}  // namespace

std::optional<NodeTape> node_tape(const Node& node) {
  const Attributes& at = node.attributes;
  NodeTape result;
  if (node.op->name == "fused_elementwise") {
    result.tape = at.get<ElementwiseTape>("tape");
  } else if (node.op->name == "dropout") {
    result.tape = {1, {{ScalarOp::dropout, 0, 0, at.real("rate"), static_cast<uint64_t>(at.integer("stream"))}}};
  } else if (node.op->name == "bias_add") {
    result.tape = {2, {{ScalarOp::add, 0, 1}}};
  } else if (const ScalarOp* op = scalar_op_of(*node.op)) {
    result.tape = {static_cast<uint16_t>(node.inputs.size()), {{*op, 0, 1, at.has("p") ? at.real("p") : 0.0}}};
    if (!is_binary(*op)) result.tape.instructions[0].b = 0;
  } else {
    return std::nullopt;
  }
  const size_t count = result.tape.num_inputs;
  result.random.assign(node.inputs.begin() + static_cast<std::ptrdiff_t>(count), node.inputs.end());
  // An input that is named twice becomes one.
  std::vector<uint16_t> place(count);
  for (size_t i = 0; i < count; ++i) {
    const auto it = std::find(result.inputs.begin(), result.inputs.end(), node.inputs[i]);
    place[i] = static_cast<uint16_t>(it - result.inputs.begin());
    if (it == result.inputs.end()) result.inputs.push_back(node.inputs[i]);
  }
  const auto fewer = static_cast<uint16_t>(count - result.inputs.size());
  result.tape.num_inputs = static_cast<uint16_t>(result.inputs.size());
  renumber_inputs(result.tape, [&](uint16_t v) { return v < count ? place[v] : static_cast<uint16_t>(v - fewer); });
  return result;
}

void put_first(NodeTape& t, size_t index) {
  std::rotate(t.inputs.begin(), t.inputs.begin() + static_cast<std::ptrdiff_t>(index),
              t.inputs.begin() + static_cast<std::ptrdiff_t>(index) + 1);
  renumber_inputs(t.tape, [&](uint16_t v) {
    if (v == index) return uint16_t{0};
    return static_cast<uint16_t>(v < index ? v + 1 : v);
  });
}

}  // namespace forger
