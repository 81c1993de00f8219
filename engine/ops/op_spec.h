// What the engine knows about an op: declared once, here, and nowhere else.
//
// Adding an op: write its spec in engine/ops/<op>.cpp, list it in engine/ops/table.cpp, give it a kernel in each
// provider table (engine/providers/) and a test case in tests/cases/. docs/adding-an-op.md walks through it.
#pragma once

#include <string_view>

#include "engine/graph/graph.h"

namespace forger {

/// What shape inference sees: no graph, only types and attributes.
struct InferContext {
  const std::string& path;
  std::string_view op;
  std::span<const TensorType> inputs;
  const Attributes& attributes;
  DType real;  // the graph's real type

  /// Throws ShapeError starting with the node's path.
  template <class... Args>
  void require(bool condition, fmt::format_string<Args...> format, Args&&... args) const {
    if (!condition) fail<ShapeError>("{}: {}", path, fmt::format(format, std::forward<Args>(args)...));
  }
  void require_inputs(size_t count) const;
  void require_real(size_t input) const;  // input is f32 or f64
  void require_rank(size_t input, size_t rank) const;
  void require_same(size_t a, size_t b) const;  // equal types
};

/// What a gradient rule sees.
struct GradContext {
  Graph& graph;
  NodeId node_id;
  std::span<const Value> cotangents;  // one per output; none where the loss does not depend on it
  const std::vector<bool>& needed;    // one per input: whether a gradient is asked for

  const Node& node() const { return graph.node(node_id); }
  const Attributes& attributes() const { return node().attributes; }
  Value input(size_t i) const { return graph.value(node().inputs[i]); }
  Value output(size_t i) const { return graph.value(node().outputs[i]); }
  size_t num_inputs() const { return node().inputs.size(); }
};

struct Cost {
  int64_t flops = 0;
  int64_t bytes = 0;  // read and written once, no cache assumed
};

using InPlace = std::vector<std::vector<size_t>>;

struct OpSpec {
  std::string_view name;
  std::vector<TensorType> (*infer)(const InferContext&);
  /// One gradient per input (none where not needed or not differentiable), built of ordinary nodes.
  /// nullptr makes the op a gradient barrier: nothing flows through it (optimizer updates, random numbers).
  std::vector<Value> (*grad)(const GradContext&) = nullptr;
  /// FLOPs; bytes are added by cost_of().
  int64_t (*flops)(const Graph&, const Node&) = nullptr;
  /// Bytes read and written, where they are not all inputs and all outputs once.
  int64_t (*bytes)(const Graph&, const Node&) = nullptr;
  /// For each output the inputs whose memory it may take over, best first. Missing entries mean none.
  InPlace (*in_place)(const Node&) = nullptr;
  /// True for ops without computation whose output is the input's memory seen with another shape.
  bool is_view = false;
  /// True if equal inputs and attributes do not imply equal outputs (variables, inputs).
  bool is_source = false;
};

Cost cost_of(const Graph& graph, const Node& node);

/// All ops, sorted by name. An explicit table: no registrars run before main.
std::span<const OpSpec* const> all_ops();
/// Throws Error for an unknown name.
const OpSpec& find_op(std::string_view name);
/// The scalar operation that `op` applies to every element; nullptr if it is none.
const ScalarOp* scalar_op_of(const OpSpec& op);

}  // namespace forger
