// What the fusion of small nodes (engine/passes/fuse_small.cpp) and the kernels that run its programs agree on.
#pragma once

#include <optional>

#include "engine/graph/graph.h"

namespace forger {

/// A broadcast as a way of reading: element i of the result is element (i / repeat) % period of the operand.
struct BroadcastRun {
  int64_t period = 1, repeat = 1;
};
/// none if the axes that are kept do not lie side by side.
std::optional<BroadcastRun> broadcast_run(const Shape& from, const Shape& to);

/// A sum over axes that lie side by side: [outer, summed, inner] -> [outer, inner].
struct MiddleSum {
  int64_t outer = 1, summed = 1, inner = 1;
};
/// none if an axis that is kept lies between two that are summed. `axes` ascend.
std::optional<MiddleSum> middle_sum(const Shape& shape, const std::vector<int64_t>& axes);

/// The graph that a block_program runs: its first nodes are inputs "0", "1", ...; its outputs are the node's, in order.
const Graph& program_of(const Node& node);

/// May the program's nodes overlap in time (attribute "together")? Then there may be one launch for all: of a convolution and the
/// batch norm or sum behind it (engine/passes/join_columns.cpp), of a layer's gradients (fuse_layer_grads.cpp). Or they run one
/// by one.
bool runs_together(const Node& node);

/// A program may start with a product that is large, of a matrix [M,K] and a vector, both inputs of the program, with or
/// without a bias: then M blocks make it, and the last of them runs the other nodes. nullptr: it has none.
const Node* leading_product(const Graph& program);
/// Is this a matmul [M,K] x [K,1] -> [M,1]?
bool is_vector_product(const Graph& graph, const Node& node);
/// Is this a plain matmul [M,K]^T x [M,1] -> [K,1]?
bool is_transposed_vector_product(const Graph& graph, const Node& node);
/// Is this a plain matmul [M,1] x [1,N] -> [M,N]?
bool is_outer_product(const Graph& graph, const Node& node);

}  // namespace forger
