// The gradients of a layer, which read the same gradient of its result and do not need each other, become one program, for
// which a GPU has kernels that make them in one launch: together they fill the multiprocessors with fewer partial sums, and
// nobody waits for a launch between them.
#include <algorithm>
#include <map>
#include <memory>

#include "engine/ops/layer_grads.h"
#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"
#include "engine/passes/passes.h"
#include "engine/passes/rewriter.h"

namespace forger {
namespace {

/// What kernels can join: all three gradients where both sides of the filter have many channels, in fours; those of filter
/// and bias where a side has one channel or three, as an image.
struct Joins {
  bool input, bias;
};
Joins joins_of(const Graph& graph, const Node& filter, Layer layer) {
  const bool dense = layer == Layer::dense;
  const Conv2dShape s = dense ? Conv2dShape{} : conv2d_shape(filter.attributes);
  const Shape& out = graph.type(filter.outputs[0]).shape;
  const int64_t one = dense ? out[0] : s.K, other = dense ? out[1] : s.C;
  if (one % 4 == 0 && other % 4 == 0 && std::min(one, other) > 4) return {true, true};
  const int64_t few = std::min(one, other);
  return {false, layer == Layer::convolution && (few == 1 || few == 3)};
}

class LayerGradsFuser {
 public:
  explicit LayerGradsFuser(const Graph& graph)
      : graph_(graph), rewriter_(graph), readers_(static_cast<size_t>(graph.num_values())), taken_(graph.nodes().size(), false) {
    for (const Node& node : graph.nodes()) {
      for (ValueId id : node.inputs) readers_[static_cast<size_t>(id)].push_back(node.id);
    }
  }

  Graph run() {
    for (const Node& node : graph_.nodes()) {
      if (!taken(node)) find(node);
    }
    for (const Node& node : graph_.nodes()) {
      const auto it = groups_.find(node.id);
      if (it != groups_.end()) {
        join(it->second);
      } else if (!taken(node)) {
        rewriter_.copy(node);
      }
    }
    return rewriter_.finish();
  }

 private:
  using Group = std::vector<const Node*>;  // dx, dw, db; those that there are

  bool taken(const Node& node) const { return taken_[static_cast<size_t>(node.id)]; }

  /// Joins dw with the others, if they can all be made where the first of them stands.
  void find(const Node& filter) {
    Group best;
    for (const Layer layer : {Layer::convolution, Layer::transposed, Layer::dense}) {
      const auto g = gradient_of_filter_grad(filter, layer);
      if (!g) continue;
      const Joins joins = joins_of(graph_, filter, layer);
      const Node *input = nullptr, *bias = nullptr;
      for (const NodeId id : readers_[static_cast<size_t>(filter.inputs[*g])]) {
        const Node& node = graph_.node(id);
        if (taken(node) || id == filter.id) continue;
        if (joins.input && !input && is_input_grad(graph_, node, layer, filter)) input = &node;
        if (joins.bias && !bias && is_bias_grad(graph_, node, filter.inputs[*g])) bias = &node;
      }
      for (Group group : {Group{input, &filter, bias}, Group{input, &filter}, Group{&filter, bias}}) {
        std::erase(group, nullptr);
        if (group.size() > best.size() && is_ready(group)) best = group;
      }
    }
    if (best.size() < 2) return;
    for (const Node* node : best) taken_[static_cast<size_t>(node->id)] = true;
    groups_[first_of(best)] = best;
  }

  static NodeId first_of(const Group& group) {
    return (*std::min_element(group.begin(), group.end(), [](const Node* a, const Node* b) { return a->id < b->id; }))->id;
  }

  /// Is everything that the nodes read there before the first of them?
  bool is_ready(const Group& group) const {
    const NodeId first = first_of(group);
    return std::all_of(group.begin(), group.end(), [&](const Node* node) {
      return std::all_of(node->inputs.begin(), node->inputs.end(), [&](ValueId id) { return graph_.producer(id).id < first; });
    });
  }

  void join(const Group& group) {
    Graph program(graph_.real());
    std::vector<ValueId> inputs;  // in this graph
    std::map<ValueId, ValueId> inside;
    for (const Node* node : group) {
      for (ValueId id : node->inputs) {
        if (inside.contains(id)) continue;
        inside[id] = program.input(std::to_string(inputs.size()), graph_.type(id)).id();
        inputs.push_back(id);
      }
    }
    for (size_t i = 0; i < group.size(); ++i) {
      std::vector<ValueId> operands;
      for (ValueId id : group[i]->inputs) operands.push_back(inside.at(id));
      program.output(std::to_string(i), program.append(*group[i]->op, group[i]->path, operands, group[i]->attributes)[0]);
    }
    const std::string path = group[0]->path + "+" + std::to_string(group.size() - 1);
    const auto results = rewriter_.out().append(
        find_op("block_program"), path, rewriter_.mapped(inputs),
        {{"program", Subgraph{std::make_shared<const Graph>(std::move(program))}}, {"together", int64_t{1}}});
    for (size_t i = 0; i < group.size(); ++i) rewriter_.replace(group[i]->outputs[0], results[i].id());
  }

  const Graph& graph_;
  Rewriter rewriter_;
  std::vector<std::vector<NodeId>> readers_;  // by value
  std::vector<bool> taken_;                   // by node: belongs to a group
  std::map<NodeId, Group> groups_;            // by the node in whose place it is made
};

}  // namespace

Graph fuse_layer_grads(const Graph& graph) {
  return LayerGradsFuser(graph).run();
}

}  // namespace forger
