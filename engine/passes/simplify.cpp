#include "engine/ops/op_spec.h"
#include "engine/passes/passes.h"
#include "engine/passes/rewriter.h"

namespace forger {
namespace {

bool is_fill_of(const Graph& graph, ValueId id, double value) {
  const Node& node = graph.producer(id);
  return node.op->name == "fill" && node.attributes.real("value") == value;
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
