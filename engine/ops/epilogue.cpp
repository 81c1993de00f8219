#include "engine/ops/epilogue.h"

#include "engine/ops/common.h"

namespace forger {

const ElementwiseTape* epilogue_of(const Attributes& attributes) {
  return attributes.has("epilogue") ? &attributes.get<ElementwiseTape>("epilogue") : nullptr;
}

size_t epilogue_inputs(const Attributes& attributes) {
  const ElementwiseTape* tape = epilogue_of(attributes);
  return tape ? tape->num_inputs - size_t{1} + (draws_random(*tape) ? 2 : 0) : 0;
}

void require_epilogue(const InferContext& c, const TensorType& out) {
  const ElementwiseTape* tape = epilogue_of(c.attributes);
  if (!tape) return;
  c.require(epilogue_program(*tape).has_value(), "the epilogue needs more inputs, instructions or registers than there are");
  const size_t count = epilogue_inputs(c.attributes);
  c.require(c.inputs.size() >= count, "the epilogue takes {} inputs, {} has {}", count, c.op, c.inputs.size());
  const size_t first = c.inputs.size() - count;
  for (size_t i = first; i + 1 < first + tape->num_inputs; ++i) {
    c.require_real(i);
    require_suffix(c, i, out.shape);
  }
  if (draws_random(*tape)) require_seed_step(c, c.inputs.size() - 2);
}

int64_t epilogue_flops(const Graph& graph, const Node& node) {
  const ElementwiseTape* tape = epilogue_of(node.attributes);
  return tape ? graph.type(node.outputs[0]).size() * static_cast<int64_t>(tape->instructions.size()) : 0;
}

}  // namespace forger
