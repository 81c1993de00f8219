#include <algorithm>

#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"
#include "engine/passes/passes.h"
#include "engine/passes/rewriter.h"

namespace forger {
namespace {

bool is_fill_of(const Graph& graph, ValueId id, double value) {
  const Node& node = graph.producer(id);
  return node.op->name == "fill" && node.attributes.real("value") == value;
}

/// The input gradient of a batch norm: over all axes but the last it sums to zero, as a batch norm takes no notice of what is
/// added to a channel of its input. What rounding leaves of the sum is noise.
bool sums_to_zero(const Graph& graph, const Node& sum) {
  if (sum.op->name != "reduce_sum") return false;
  const Node& from = graph.producer(sum.inputs[0]);
  if (from.op->name != "batch_norm_grad" || from.outputs[0] != sum.inputs[0]) return false;
  const auto& axes = sum.attributes.list("axes");
  const auto leading = static_cast<int64_t>(graph.type(sum.inputs[0]).shape.size()) - 1;
  for (int64_t axis = 0; axis < leading; ++axis) {
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) return false;
  }
  return true;
}

}  // namespace

Graph simplify(const Graph& graph) {
  Rewriter rewriter(graph);
  Graph& out = rewriter.out();
  for (const Node& node : graph.nodes()) {
    const auto inputs = rewriter.mapped(node.inputs);
    if (node.op->name == "mul" && is_fill_of(out, inputs[0], 1.0)) {
      rewriter.replace(node.outputs[0], inputs[1]);
    } else if (node.op->name == "mul" && is_fill_of(out, inputs[1], 1.0)) {
      rewriter.replace(node.outputs[0], inputs[0]);
    } else if (node.op->name == "add" && is_fill_of(out, inputs[0], 0.0)) {
      rewriter.replace(node.outputs[0], inputs[1]);
    } else if (node.op->name == "add" && is_fill_of(out, inputs[1], 0.0)) {
      rewriter.replace(node.outputs[0], inputs[0]);
    } else if (sums_to_zero(graph, node)) {
      rewriter.replace(node.outputs[0], fill(out, 0.0, graph.type(node.outputs[0]).shape).id());
    } else if (node.op->name == "scale" && node.attributes.real("p") == 1.0) {
      rewriter.replace(node.outputs[0], inputs[0]);
    } else if ((node.op->name == "broadcast_to" || node.op->name == "reshape") && out.producer(inputs[0]).op->name == "fill") {
      Attributes attributes = out.producer(inputs[0]).attributes;
      attributes.set("shape", graph.type(node.outputs[0]).shape);
      rewriter.copy_as(node, find_op("fill"), {}, std::move(attributes));
    } else {
      rewriter.copy(node);
    }
  }
  return rewriter.finish();
}

}  // namespace forger
