// The "epilogue" of a node: a tape on its result, which its kernel applies before it writes (kernels/common/epilogue.h).
//
// Ops that may have one: conv2d, conv2d_input_grad, matmul. The tape is the attribute "epilogue"; its first input is the
// node's own result, the others are the node's last inputs, followed by a seed and a step if the tape has a dropout.
#pragma once

#include "engine/ops/op_spec.h"
#include "kernels/common/epilogue.h"

namespace forger {

/// Null if there is none.
const ElementwiseTape* epilogue_of(const Attributes& attributes);
/// How many of the node's inputs belong to its epilogue, seed and step included.
size_t epilogue_inputs(const Attributes& attributes);
/// Checks the epilogue of a node whose result is `out`, and its inputs.
void require_epilogue(const InferContext& c, const TensorType& out);
/// What it adds to the node's FLOPs.
int64_t epilogue_flops(const Graph& graph, const Node& node);

}  // namespace forger
