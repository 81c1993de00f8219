#include "engine/autodiff/gradients.h"

#include <map>

#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"

namespace forger {
namespace {

/// For every node up to `end`: does it lie downstream of `wrt`, without crossing a barrier?
std::vector<bool> values_reached(const Graph& graph, std::span<const Value> wrt) {
  std::vector<bool> reached(static_cast<size_t>(graph.num_values()), false);
  for (const Value& v : wrt) reached[static_cast<size_t>(v.id())] = true;
  for (const Node& node : graph.nodes()) {
    if (!node.op->grad) continue;
    bool any = false;
    for (ValueId id : node.inputs) any = any || reached[static_cast<size_t>(id)];
    if (!any) continue;
    for (ValueId id : node.outputs) reached[static_cast<size_t>(id)] = true;
  }
  return reached;
}

}  // namespace

std::vector<Value> gradients(std::span<const Value> results, std::span<const Value> seeds, std::span<const Value> wrt) {
  if (results.empty()) return std::vector<Value>(wrt.size());
  Graph& graph = results[0].graph();
  const auto reached = values_reached(graph, wrt);
  std::map<ValueId, Value> cotangent;  // sum of what has arrived so far
  const auto accumulate = [&](ValueId id, Value value) {
    const auto [it, first] = cotangent.try_emplace(id, value);
    if (!first) it->second = add(it->second, value);
  };

  NodeId last = -1;
  for (size_t i = 0; i < results.size(); ++i) {
    if (results[i].type() != seeds[i].type()) {
      fail<ShapeError>("{}: the gradient's seed is {}, expected {}", results[i].path(), to_string(seeds[i].type()),
                       to_string(results[i].type()));
    }
    accumulate(results[i].id(), seeds[i]);
    last = std::max(last, graph.producer(results[i].id()).id);
  }

  const PathScope scope(graph, "grad");
  // Nodes are in topological order: walking it backwards meets every node after all of its readers.
  for (NodeId id = last; id >= 0; --id) {
    const Node& node = graph.node(id);
    if (!node.op->grad) continue;
    std::vector<Value> dys;
    bool any_dy = false;
    for (ValueId output : node.outputs) {
      const auto it = cotangent.find(output);
      dys.push_back(it == cotangent.end() ? Value{} : it->second);
      any_dy = any_dy || dys.back();
    }
    std::vector<bool> needed;
    bool any_needed = false;
    for (ValueId input : node.inputs) {
      needed.push_back(reached[static_cast<size_t>(input)]);
      any_needed = any_needed || needed.back();
    }
    if (!any_dy || !any_needed) continue;
    const PathScope node_scope(graph, node.path);
    const auto dxs = node.op->grad({graph, id, dys, needed});
    for (size_t i = 0; i < dxs.size(); ++i) {
      if (!dxs[i] || !needed[i]) continue;
      if (dxs[i].type() != graph.type(node.inputs[i])) {
        fail<ShapeError>("{}: its gradient {} has type {}, expected {}", node.path, i, to_string(dxs[i].type()),
                         to_string(graph.type(node.inputs[i])));
      }
      accumulate(node.inputs[i], dxs[i]);
    }
  }

  std::vector<Value> grads;
  for (const Value& v : wrt) {
    const auto it = cotangent.find(v.id());
    grads.push_back(it == cotangent.end() ? Value{} : it->second);
  }
  return grads;
}

std::vector<Value> gradients(Value loss, std::span<const Value> wrt) {
  if (!loss.shape().empty()) fail<ShapeError>("{}: gradients need a scalar loss, got {}", loss.path(), to_string(loss.type()));
  const Value results[] = {loss}, seeds[] = {fill(loss.graph(), 1.0, {})};
  const auto grads = gradients(results, seeds, wrt);
  for (size_t i = 0; i < wrt.size(); ++i) {
    if (!grads[i]) fail<ShapeError>("{}: the loss does not depend on {}", loss.path(), wrt[i].path());
  }
  return grads;
}

}  // namespace forger
