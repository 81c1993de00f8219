// A network's head and what follows it: logits = x w + b, then the program of loss, gradient and metrics. The program takes
// the product in as its first node (leading_product); whoever else reads the logits reads an output of the program.
#include <algorithm>
#include <map>
#include <memory>

#include "engine/ops/block_program.h"
#include "engine/ops/op_spec.h"
#include "engine/passes/passes.h"
#include "engine/passes/rewriter.h"

namespace forger {
namespace {

class HeadFuser {
 public:
  explicit HeadFuser(const Graph& graph) : graph_(graph), rewriter_(graph), readers_(static_cast<size_t>(graph.num_values())) {
    for (const Node& node : graph.nodes()) {
      for (ValueId id : node.inputs) readers_[static_cast<size_t>(id)].push_back(node.id);
    }
  }

  Graph run() {
    std::map<NodeId, const Node*> product_of;
    std::vector<bool> moved(graph_.nodes().size(), false);
    for (const Node& node : graph_.nodes()) {
      const Node* product = find_product(node);
      if (!product || moved[static_cast<size_t>(product->id)]) continue;
      product_of[node.id] = product;
      moved[static_cast<size_t>(product->id)] = true;
    }
    for (const Node& node : graph_.nodes()) {
      if (moved[static_cast<size_t>(node.id)]) continue;
      const auto it = product_of.find(node.id);
      if (it == product_of.end()) {
        rewriter_.copy(node);
      } else {
        join(node, *it->second);
      }
    }
    return rewriter_.finish();
  }

 private:
  static bool holds_product(const Graph& program) {
    const auto is_product = [](const Node& node) { return node.op->name == "matmul"; };
    return std::any_of(program.nodes().begin(), program.nodes().end(), is_product);
  }

  /// The latest product among a program's operands that may move down to it: all other readers come later.
  const Node* find_product(const Node& program) const {
    if (program.op->name != "block_program" || runs_together(program)) return nullptr;
    if (holds_product(program_of(program))) return nullptr;
    const Node* found = nullptr;
    for (ValueId id : program.inputs) {
      const Node& node = graph_.producer(id);
      const auto& readers = readers_[static_cast<size_t>(id)];
      const auto is_later = [&](NodeId reader) { return reader >= program.id; };
      if (is_vector_product(graph_, node) && std::all_of(readers.begin(), readers.end(), is_later)) found = &node;
    }
    return found;
  }

  bool is_read_elsewhere(ValueId id, NodeId program) const {
    const auto& readers = readers_[static_cast<size_t>(id)];
    const auto is_output = [id](const auto& output) { return output.second == id; };
    const auto is_update = [id](const Variable& v) { return v.updated == id; };
    return std::any_of(readers.begin(), readers.end(), [&](NodeId reader) { return reader != program; }) ||
           std::any_of(graph_.outputs().begin(), graph_.outputs().end(), is_output) ||
           std::any_of(graph_.variables().begin(), graph_.variables().end(), is_update);
  }

  void join(const Node& node, const Node& product) {
    const Graph& old = program_of(node);
    const ValueId y = product.outputs[0];
    Graph program(graph_.real());
    std::vector<ValueId> inputs;        // of this graph
    std::map<ValueId, ValueId> inside;  // values of this graph -> of the new program
    const auto add_inputs = [&](const std::vector<ValueId>& ids) {
      for (ValueId id : ids) {
        if (id == y || inside.contains(id)) continue;
        inside[id] = program.input(std::to_string(inputs.size()), graph_.type(id)).id();
        inputs.push_back(id);
      }
    };
    add_inputs(product.inputs);
    add_inputs(node.inputs);

    const auto append = [&](const Node& n, const std::vector<ValueId>& operands) {
      std::vector<ValueId> results;
      for (const Value& v : program.append(*n.op, n.path, operands, n.attributes)) results.push_back(v.id());
      return results;
    };
    std::vector<ValueId> operands;
    for (ValueId id : product.inputs) operands.push_back(inside.at(id));
    inside[y] = append(product, operands)[0];
    std::vector<ValueId> map(static_cast<size_t>(old.num_values()), -1);  // values of the old program -> of the new one
    for (size_t i = 0; i < node.inputs.size(); ++i) map[i] = inside.at(node.inputs[i]);
    for (const Node& n : old.nodes()) {
      if (n.op->is_source) continue;
      operands.clear();
      for (ValueId id : n.inputs) operands.push_back(map[static_cast<size_t>(id)]);
      const auto results = append(n, operands);
      for (size_t i = 0; i < results.size(); ++i) map[static_cast<size_t>(n.outputs[i])] = results[i];
    }
    for (const auto& [name, id] : old.outputs()) program.output(name, program.value(map[static_cast<size_t>(id)]));
    const bool exported = is_read_elsewhere(y, node.id);
    if (exported) program.output(std::to_string(old.outputs().size()), program.value(inside.at(y)));

    const auto results =
        rewriter_.out().append(find_op("block_program"), product.path + "+" + node.path, rewriter_.mapped(inputs),
                               {{"program", Subgraph{std::make_shared<const Graph>(std::move(program))}}});
    for (size_t i = 0; i < node.outputs.size(); ++i) rewriter_.replace(node.outputs[i], results[i].id());
    if (exported) rewriter_.replace(y, results.back().id());
  }

  const Graph& graph_;
  Rewriter rewriter_;
  std::vector<std::vector<NodeId>> readers_;  // by value
};

}  // namespace

Graph fuse_head(const Graph& graph) {
  return HeadFuser(graph).run();
}

}  // namespace forger
