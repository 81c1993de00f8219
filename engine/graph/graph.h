// The graph: a list of nodes in topological order over typed single-assignment values.
//
// A whole training step (forward, backward, optimizer) is one graph. A variable's update is a new value: after
// Adam on D, later nodes read D's *updated* weights by taking that value, so order needs no control edges.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/graph/attributes.h"
#include "engine/graph/initializer.h"
#include "engine/graph/types.h"

namespace forger {

class Graph;
struct OpSpec;

using NodeId = int32_t;
using ValueId = int32_t;

/// A handle to one result of a node. Cheap to copy; valid as long as its graph. A default Value is "none".
class Value {
 public:
  Value() = default;
  Value(Graph* graph, ValueId id) : graph_(graph), id_(id) {}

  explicit operator bool() const { return graph_ != nullptr; }
  Graph& graph() const { return *graph_; }
  ValueId id() const { return id_; }
  const TensorType& type() const;
  const Shape& shape() const { return type().shape; }
  DType dtype() const { return type().dtype; }
  int64_t dim(int axis) const;  // negative axes count from the end
  const std::string& path() const;

  bool operator==(const Value&) const = default;

 private:
  Graph* graph_ = nullptr;
  ValueId id_ = -1;
};

struct Node {
  NodeId id = -1;
  const OpSpec* op = nullptr;
  std::string path;  // "D/conv1/conv2d": unique, what error messages and `forger explain` show
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  Attributes attributes;
};

/// State that lives from step to step. `updated` is the value it has after the step (`current` if unchanged).
struct Variable {
  std::string name;
  ValueId current = -1;
  ValueId updated = -1;
  Initializer initializer;
  bool trainable = false;
};

class Graph {
 public:
  /// `real` is the type of the graph's real numbers: f32, or f64 when the graph is an oracle.
  explicit Graph(DType real = DType::f32) : real_(real) {}

  DType real() const { return real_; }

  /// Appends a node; its output types come from the op's shape inference.
  /// Throws ShapeError, with the node's path, when the inputs do not fit the op.
  std::vector<Value> add(const OpSpec& op, std::span<const Value> inputs, Attributes attributes = {});

  /// State: exists once per name. Throws ConfigError on a second variable of the same name.
  Value variable(const std::string& name, TensorType type, Initializer initializer, bool trainable = false);
  /// Data bound from outside before each run: a dataset, noise for sampling.
  Value input(const std::string& name, TensorType type);
  /// Declares that `variable` holds `value` after a run.
  void update(const std::string& variable, Value value);
  /// Makes `value` readable after a run under `name`.
  void output(const std::string& name, Value value);

  /// Nodes added while a scope is pushed have its name in their path.
  void push_scope(const std::string& name) { scopes_.push_back(name); }
  void pop_scope() { scopes_.pop_back(); }

  const std::deque<Node>& nodes() const { return nodes_; }
  const Node& node(NodeId id) const { return nodes_[static_cast<size_t>(id)]; }
  const Node& producer(ValueId id) const { return node(values_[static_cast<size_t>(id)].producer); }
  const TensorType& type(ValueId id) const { return values_[static_cast<size_t>(id)].type; }
  int64_t num_values() const { return static_cast<int64_t>(values_.size()); }
  const std::vector<Variable>& variables() const { return variables_; }
  const Variable& variable(const std::string& name) const;
  const std::vector<std::pair<std::string, ValueId>>& outputs() const { return outputs_; }
  Value value(ValueId id) { return {this, id}; }

  /// The path that the next node named `leaf` will get.
  std::string next_path(const std::string& leaf) const;
  /// Low-level append used by rewrites: the path is taken as it is.
  std::vector<Value> append(const OpSpec& op, std::string path, std::vector<ValueId> inputs, Attributes attributes);
  void add_variable(Variable variable) { variables_.push_back(std::move(variable)); }

 private:
  struct ValueInfo {
    TensorType type;
    NodeId producer;
  };
  std::string scoped(const std::string& leaf) const;
  std::string unique_path(const std::string& leaf);

  DType real_;
  std::deque<Node> nodes_;  // deques: references stay valid while gradient rules append
  std::deque<ValueInfo> values_;
  std::vector<Variable> variables_;
  std::vector<std::pair<std::string, ValueId>> outputs_;
  std::vector<std::string> scopes_;
  std::map<std::string, int> path_uses_;
};

/// Names the nodes that are added during its lifetime.
class PathScope {
 public:
  PathScope(Graph& graph, const std::string& name) : graph_(graph) { graph_.push_scope(name); }
  ~PathScope() { graph_.pop_scope(); }
  PathScope(const PathScope&) = delete;
  PathScope& operator=(const PathScope&) = delete;

 private:
  Graph& graph_;
};

/// Checks the whole graph: single assignment, inputs before uses, types as inferred, variables' updates of the
/// variable's own type. Throws ShapeError naming the node's path. Cheap; run after every pass.
void verify(const Graph& graph);

/// One line per node: `%7 = conv2d(%3, %5) {stride=2} : f32[32,14,14,32]  # D/conv1/conv2d`.
std::string to_string(const Graph& graph);

}  // namespace forger
