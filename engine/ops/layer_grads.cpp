#include "engine/ops/layer_grads.h"

#include <algorithm>
#include <numeric>

#include "engine/ops/epilogue.h"

namespace forger {
namespace {

bool is_matmul(const Node& node, int64_t transpose_a, int64_t transpose_b) {
  return node.op->name == "matmul" && node.attributes.integer("transpose_a") == transpose_a &&
         node.attributes.integer("transpose_b") == transpose_b;
}

/// Two operands without bias or statistics; behind them there may be those of an epilogue.
bool is_product_alone(const Node& node) {
  return node.outputs.size() == 1 && node.inputs.size() - epilogue_inputs(node.attributes) == 2;
}

}  // namespace

std::optional<size_t> gradient_of_filter_grad(const Node& node, Layer layer) {
  if (layer == Layer::dense) {
    const bool fits = is_matmul(node, 1, 0) && is_product_alone(node) && !epilogue_of(node.attributes);
    return fits ? std::optional<size_t>(1) : std::nullopt;
  }
  if (node.op->name != "conv2d_filter_grad") return std::nullopt;
  return layer == Layer::convolution ? 1 : 0;
}

bool is_input_grad(const Graph& graph, const Node& node, Layer layer, const Node& filter) {
  const auto g = gradient_of_filter_grad(filter, layer);
  if (!g || node.inputs.empty() || node.inputs[0] != filter.inputs[*g]) return false;
  if (layer == Layer::dense) {
    return is_matmul(node, 0, 1) && is_product_alone(node) &&
           graph.type(node.outputs[0]).shape == graph.type(filter.inputs[0]).shape;
  }
  return node.op->name == (layer == Layer::convolution ? "conv2d_input_grad" : "conv2d") && is_product_alone(node) &&
         node.attributes.list("conv") == filter.attributes.list("conv");
}

bool is_bias_grad(const Graph& graph, const Node& node, ValueId g) {
  if (node.op->name != "reduce_sum" || node.inputs[0] != g) return false;
  std::vector<int64_t> all_but_last(graph.type(g).shape.size() - std::min<size_t>(graph.type(g).shape.size(), 1));
  std::iota(all_but_last.begin(), all_but_last.end(), 0);
  return !all_but_last.empty() && node.attributes.list("axes") == all_but_last;
}

std::optional<LayerGrads> layer_grads_of(const Graph& program) {
  for (const Node& filter : program.nodes()) {
    for (const Layer layer : {Layer::convolution, Layer::transposed, Layer::dense}) {
      const auto g = gradient_of_filter_grad(filter, layer);
      if (!g) continue;
      LayerGrads found{layer, nullptr, &filter, nullptr};
      bool others = false;
      for (const Node& node : program.nodes()) {
        if (node.op->is_source || &node == &filter) continue;
        if (!found.input && is_input_grad(program, node, layer, filter)) {
          found.input = &node;
        } else if (!found.bias && is_bias_grad(program, node, filter.inputs[*g])) {
          found.bias = &node;
        } else {
          others = true;
        }
      }
      if (!others && (found.input || found.bias)) return found;
    }
  }
  return std::nullopt;
}

}  // namespace forger
