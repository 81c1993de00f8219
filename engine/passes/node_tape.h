// Elementwise nodes as tapes: what passes that fuse them into other nodes start from.
#pragma once

#include <optional>

#include "engine/graph/graph.h"

namespace forger {

/// The tape that a node runs on its inputs. Every input is there once; they are tensors of the result's shape or repeat
/// along its leading axes.
struct NodeTape {
  ElementwiseTape tape;
  std::vector<ValueId> inputs;  // the tape's
  std::vector<ValueId> random;  // seed and step, if it draws random numbers
};

/// Of a scalar op, bias_add, dropout or fused_elementwise; nothing for other ops.
std::optional<NodeTape> node_tape(const Node& node);

/// Makes input `index` of a tape its first.
void put_first(NodeTape& tape, size_t index);

}  // namespace forger
