#include <algorithm>
#include <map>

#include "engine/ops/op_spec.h"
#include "engine/passes/passes.h"
#include "engine/passes/rewriter.h"

namespace forger {

Graph fuse_batch_norm_statistics(const Graph& graph) {
  // The convolution moves down to its batch norm, where the running values are at hand: nothing in between may read it.
  const auto read_between = [&](const Node& convolution, const Node& norm) {
    for (NodeId id = convolution.id + 1; id < norm.id; ++id) {
      const auto& inputs = graph.node(id).inputs;
      if (std::find(inputs.begin(), inputs.end(), convolution.outputs[0]) != inputs.end()) return true;
    }
    return false;
  };
  std::map<NodeId, NodeId> norm_of;  // by convolution
  std::map<NodeId, NodeId> convolution_of;
  for (const Node& node : graph.nodes()) {
    if (node.op->name != "batch_norm_training") continue;
    const Node& producer = graph.producer(node.inputs[0]);
    const bool takes = producer.op->name == "conv2d" && !producer.attributes.has("statistics") &&
                       !producer.attributes.has("epilogue") && !norm_of.contains(producer.id);
    if (!takes || read_between(producer, node)) continue;
    norm_of[producer.id] = node.id;
    convolution_of[node.id] = producer.id;
  }

  Rewriter rewriter(graph);
  for (const Node& node : graph.nodes()) {
    if (norm_of.contains(node.id)) continue;
    const auto it = convolution_of.find(node.id);
    if (it == convolution_of.end()) {
      rewriter.copy(node);
      continue;
    }
    const Node& convolution = graph.node(it->second);
    // x, gamma, beta, running_mean, running_var, and what the epilogue reads.
    auto inputs = rewriter.mapped(convolution.inputs);
    inputs.push_back(rewriter.mapped(node.inputs[3]));
    inputs.push_back(rewriter.mapped(node.inputs[4]));
    Attributes attributes = convolution.attributes;
    attributes.set("statistics", int64_t{1});
    for (const char* name : {"epsilon", "momentum"}) attributes.set(name, node.attributes.real(name));
    const auto y = rewriter.out().append(*convolution.op, convolution.path, std::move(inputs), std::move(attributes));
    rewriter.replace(convolution.outputs[0], y[0].id());
    for (size_t i = 1; i < y.size(); ++i) rewriter.replace(node.outputs[i], y[i].id());
    std::vector<ValueId> applied = {y[0].id(), y[1].id(), y[2].id(), rewriter.mapped(node.inputs[1]),
                                    rewriter.mapped(node.inputs[2])};
    for (size_t i = 5; i < node.inputs.size(); ++i) applied.push_back(rewriter.mapped(node.inputs[i]));
    Attributes rest;
    if (node.attributes.has("epilogue")) rest.set("epilogue", node.attributes.get<ElementwiseTape>("epilogue"));
    const auto normalised = rewriter.out().append(find_op("batch_norm_apply"), node.path, std::move(applied), std::move(rest));
    rewriter.replace(node.outputs[0], normalised[0].id());
  }
  return rewriter.finish();
}

}  // namespace forger
