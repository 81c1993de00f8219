#include "engine/graph/graph.h"

#include <algorithm>

#include "engine/ops/op_spec.h"

namespace forger {

const TensorType& Value::type() const {
  return graph_->type(id_);
}

int64_t Value::dim(int axis) const {
  const Shape& s = shape();
  return s.at(static_cast<size_t>(axis < 0 ? axis + static_cast<int>(s.size()) : axis));
}

const std::string& Value::path() const {
  return graph_->producer(id_).path;
}

std::string Graph::scoped(const std::string& leaf) const {
  std::string path;
  for (const std::string& scope : scopes_) path += scope + "/";
  return path + leaf;
}

std::string Graph::next_path(const std::string& leaf) const {
  const std::string path = scoped(leaf);
  const auto it = path_uses_.find(path);
  return it == path_uses_.end() ? path : path + "_" + std::to_string(it->second);
}

std::string Graph::unique_path(const std::string& leaf) {
  const std::string path = next_path(leaf);
  ++path_uses_[scoped(leaf)];
  return path;
}

std::vector<Value> Graph::add(const OpSpec& op, std::span<const Value> inputs, Attributes attributes) {
  std::vector<ValueId> ids;
  const std::string path = unique_path(std::string(op.name));
  for (const Value& v : inputs) {
    if (!v) fail<ShapeError>("{}: an input of {} is missing", path, op.name);
    if (&v.graph() != this) fail<ShapeError>("{}: an input of {} belongs to another graph", path, op.name);
    ids.push_back(v.id());
  }
  return append(op, path, std::move(ids), std::move(attributes));
}

std::vector<Value> Graph::append(const OpSpec& op, std::string path, std::vector<ValueId> inputs, Attributes attributes) {
  std::vector<TensorType> input_types;
  for (ValueId id : inputs) input_types.push_back(type(id));
  const std::vector<TensorType> types = op.infer({path, op.name, input_types, attributes, real_});

  Node node{static_cast<NodeId>(nodes_.size()), &op, std::move(path), std::move(inputs), {}, std::move(attributes)};
  std::vector<Value> results;
  for (const TensorType& type : types) {
    node.outputs.push_back(static_cast<ValueId>(values_.size()));
    values_.push_back({type, node.id});
    results.emplace_back(this, node.outputs.back());
  }
  nodes_.push_back(std::move(node));
  return results;
}

Value Graph::variable(const std::string& name, TensorType type, Initializer initializer, bool trainable) {
  for (const Variable& v : variables_) {
    if (v.name == name) fail<ConfigError>("{}: there is a variable of this name already", name);
  }
  const Value value =
      append(find_op("variable"), name, {}, {{"dtype", name_of(type.dtype)}, {"shape", type.shape}, {"name", name}})[0];
  variables_.push_back({name, value.id(), value.id(), initializer, trainable});
  return value;
}

Value Graph::input(const std::string& name, TensorType type) {
  return append(find_op("input"), name, {}, {{"dtype", name_of(type.dtype)}, {"shape", type.shape}, {"name", name}})[0];
}

const Variable& Graph::variable(const std::string& name) const {
  for (const Variable& v : variables_) {
    if (v.name == name) return v;
  }
  fail<ConfigError>("the graph has no variable '{}'", name);
}

void Graph::update(const std::string& name, Value value) {
  auto& v = const_cast<Variable&>(variable(name));
  if (type(v.current) != value.type()) {
    fail<ShapeError>("{}: its update has type {}, expected {}", name, to_string(value.type()), to_string(type(v.current)));
  }
  v.updated = value.id();
}

void Graph::output(const std::string& name, Value value) {
  outputs_.emplace_back(name, value.id());
}

void verify(const Graph& graph) {
  std::vector<bool> defined(static_cast<size_t>(graph.num_values()), false);
  for (const Node& node : graph.nodes()) {
    std::vector<TensorType> input_types;
    for (ValueId id : node.inputs) {
      if (id < 0 || id >= graph.num_values() || !defined[static_cast<size_t>(id)]) {
        fail<ShapeError>("{}: reads value %{} before it is computed", node.path, id);
      }
      input_types.push_back(graph.type(id));
    }
    const auto types = node.op->infer({node.path, node.op->name, input_types, node.attributes, graph.real()});
    if (types.size() != node.outputs.size()) {
      fail<ShapeError>("{}: has {} outputs, {} makes {}", node.path, node.outputs.size(), node.op->name, types.size());
    }
    for (size_t i = 0; i < types.size(); ++i) {
      const ValueId id = node.outputs[i];
      if (defined[static_cast<size_t>(id)]) fail<ShapeError>("{}: assigns value %{} a second time", node.path, id);
      if (graph.type(id) != types[i]) {
        fail<ShapeError>("{}: output {} has type {}, inferred {}", node.path, i, to_string(graph.type(id)), to_string(types[i]));
      }
      defined[static_cast<size_t>(id)] = true;
    }
  }
  for (const Variable& v : graph.variables()) {
    if (graph.type(v.current) != graph.type(v.updated)) {
      fail<ShapeError>("{}: its update has type {}, expected {}", v.name, to_string(graph.type(v.updated)),
                       to_string(graph.type(v.current)));
    }
  }
}

std::string to_string(const Graph& graph) {
  std::string text;
  for (const Node& node : graph.nodes()) {
    std::string left, right;
    for (ValueId id : node.outputs) left += (left.empty() ? "%" : ", %") + std::to_string(id);
    for (ValueId id : node.inputs) right += (right.empty() ? "%" : ", %") + std::to_string(id);
    std::string types;
    for (ValueId id : node.outputs) types += (types.empty() ? "" : ", ") + to_string(graph.type(id));
    text += fmt::format("{} = {}({}) {} : {}  # {}\n", left, node.op->name, right, node.attributes.to_string(), types, node.path);
  }
  return text;
}

}  // namespace forger
