#include <map>

#include "engine/ops/op_spec.h"
#include "engine/passes/passes.h"
#include "engine/passes/rewriter.h"

namespace forger {
namespace {

struct Pair {
  const Node *convolution, *norm;
};

void split(Rewriter& rewriter, const Pair& pair) {
  const auto& [convolution, norm] = pair;
  // x, gamma, beta, running_mean, running_var, and what the epilogue reads.
  auto inputs = rewriter.mapped(convolution->inputs);
  inputs.push_back(rewriter.mapped(norm->inputs[3]));
  inputs.push_back(rewriter.mapped(norm->inputs[4]));
  Attributes attributes = convolution->attributes;
  attributes.set("statistics", int64_t{1});
  for (const char* name : {"epsilon", "momentum"}) attributes.set(name, norm->attributes.real(name));
  const auto y = rewriter.out().append(*convolution->op, convolution->path, std::move(inputs), std::move(attributes));
  rewriter.replace(convolution->outputs[0], y[0].id());
  for (size_t i = 1; i < y.size(); ++i) rewriter.replace(norm->outputs[i], y[i].id());
  std::vector<ValueId> applied = {y[0].id(), y[1].id(), y[2].id(), rewriter.mapped(norm->inputs[1]),
                                  rewriter.mapped(norm->inputs[2])};
  for (size_t i = 5; i < norm->inputs.size(); ++i) applied.push_back(rewriter.mapped(norm->inputs[i]));
  Attributes rest;
  if (norm->attributes.has("epilogue")) rest.set("epilogue", norm->attributes.get<ElementwiseTape>("epilogue"));
  const auto normalised = rewriter.out().append(find_op("batch_norm_apply"), norm->path, std::move(applied), std::move(rest));
  rewriter.replace(norm->outputs[0], normalised[0].id());
}

}  // namespace

Graph fuse_batch_norm_statistics(const Graph& graph) {
  Places places(graph);
  std::map<NodeId, Pair> pairs;  // by place
  std::vector<bool> gone(graph.nodes().size(), false);
  for (const Node& norm : graph.nodes()) {
    if (norm.op->name != "batch_norm_training") continue;
    const Node& convolution = graph.producer(norm.inputs[0]);
    const bool takes = convolution.op->name == "conv2d" && !convolution.attributes.has("statistics") &&
                       !convolution.attributes.has("epilogue") && !gone[static_cast<size_t>(convolution.id)];
    if (!takes) continue;
    const auto place = places.join(convolution, norm);
    if (!place) continue;
    pairs[*place] = {&convolution, &norm};
    gone[static_cast<size_t>(convolution.id)] = gone[static_cast<size_t>(norm.id)] = true;
  }
  Rewriter rewriter(graph);
  rewriter.copy_sources();
  for (const Node& node : graph.nodes()) {
    if (const auto it = pairs.find(node.id); it != pairs.end()) {
      split(rewriter, it->second);
    } else if (!node.op->is_source && !gone[static_cast<size_t>(node.id)]) {
      rewriter.copy(node);
    }
  }
  return rewriter.finish();
}

}  // namespace forger
