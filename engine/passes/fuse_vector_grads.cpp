// Both gradients of y = x w, w a vector: dx = dy w^T and dw = x^T dy become one program of two products, for which a GPU has
// one kernel that passes over the matrix once.
#include <algorithm>
#include <map>
#include <memory>

#include "engine/ops/block_program.h"
#include "engine/ops/op_spec.h"
#include "engine/passes/passes.h"
#include "engine/passes/rewriter.h"

namespace forger {
namespace {

struct Pair {
  const Node *dw, *dx;
};

/// The pair that each node belongs to, under the node at whose place both are computed: the first of the two.
std::map<NodeId, Pair> find_pairs(const Graph& graph) {
  std::map<ValueId, const Node*> outer;  // dy -> its outer product
  for (const Node& node : graph.nodes()) {
    if (is_outer_product(graph, node)) outer.emplace(node.inputs[0], &node);
  }
  std::map<NodeId, Pair> pairs;
  for (const Node& dw : graph.nodes()) {
    if (!is_transposed_vector_product(graph, dw)) continue;
    const auto it = outer.find(dw.inputs[1]);
    if (it == outer.end() || graph.type(it->second->outputs[0]).shape != graph.type(dw.inputs[0]).shape) continue;
    const Node& dx = *it->second;
    const NodeId first = std::min(dw.id, dx.id);
    const bool ready = graph.producer(dw.inputs[0]).id < first && graph.producer(dx.inputs[1]).id < first;
    if (!ready) continue;
    pairs[first] = {&dw, &dx};
    outer.erase(it);
  }
  return pairs;
}

void join(Rewriter& rewriter, const Pair& pair) {
  const Graph& graph = rewriter.in();
  const ValueId x = pair.dw->inputs[0], dy = pair.dw->inputs[1], w = pair.dx->inputs[1];
  Graph program(graph.real());
  std::vector<Value> inside;
  for (const ValueId id : {x, w, dy}) inside.push_back(program.input(std::to_string(inside.size()), graph.type(id)));
  // dw first: then dx may take over x's memory.
  const auto append = [&](const Node& node, size_t a, size_t b, const char* name) {
    program.output(name, program.append(*node.op, node.path, {inside[a].id(), inside[b].id()}, node.attributes)[0]);
  };
  append(*pair.dw, 0, 2, "0");
  append(*pair.dx, 2, 1, "1");
  const auto results = rewriter.out().append(find_op("block_program"), pair.dx->path + "+1", rewriter.mapped({x, w, dy}),
                                             {{"program", Subgraph{std::make_shared<const Graph>(std::move(program))}}});
  rewriter.replace(pair.dw->outputs[0], results[0].id());
  rewriter.replace(pair.dx->outputs[0], results[1].id());
}

}  // namespace

Graph fuse_vector_grads(const Graph& graph) {
  const auto pairs = find_pairs(graph);
  std::vector<bool> gone(graph.nodes().size(), false);
  for (const auto& [first, pair] : pairs) {
    gone[static_cast<size_t>(pair.dw->id)] = gone[static_cast<size_t>(pair.dx->id)] = true;
  }
  Rewriter rewriter(graph);
  for (const Node& node : graph.nodes()) {
    const auto it = pairs.find(node.id);
    if (it != pairs.end()) {
      join(rewriter, it->second);
    } else if (!gone[static_cast<size_t>(node.id)]) {
      rewriter.copy(node);
    }
  }
  return rewriter.finish();
}

}  // namespace forger
