// The gradients of a layer side by side: what the pass that joins them (engine/passes/fuse_layer_grads.cpp) and the kernels
// that make them in one launch agree on.
//
// With g the gradient of a layer's result, and the others its gradients:
//   convolution  y = conv2d(x, w):             dx = conv2d_input_grad(g, w)   dw = conv2d_filter_grad(x, g)
//   transposed   y = conv2d_input_grad(x, w):  dx = conv2d(g, w)              dw = conv2d_filter_grad(g, x)
//   dense        y = matmul(x, w):             dx = matmul(g, w^T)            dw = matmul(x^T, g)
// and db = reduce_sum(g) to the last axis. dx may have an epilogue.
#pragma once

#include <optional>

#include "engine/graph/graph.h"

namespace forger {

enum class Layer : uint8_t { convolution, transposed, dense };

/// Which of the inputs of `node` is g, if the node can be dw of such a layer.
std::optional<size_t> gradient_of_filter_grad(const Node& node, Layer layer);
/// Is `node` dx to the dw that `filter` is?
bool is_input_grad(const Graph& graph, const Node& node, Layer layer, const Node& filter);
/// Is `node` db of a layer whose result's gradient is g?
bool is_bias_grad(const Graph& graph, const Node& node, ValueId g);

/// dx and db may be missing, but not both.
struct LayerGrads {
  Layer layer;
  const Node *input, *filter, *bias;
};
/// The gradients that make up a whole program; none if it holds anything else.
std::optional<LayerGrads> layer_grads_of(const Graph& program);

}  // namespace forger
