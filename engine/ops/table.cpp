#include <algorithm>

#include "engine/ops/common.h"

namespace forger {
namespace {

std::vector<const OpSpec*> make_table() {
  std::vector<const OpSpec*> table;
  for (const auto specs : {source_specs(), elementwise_specs(), shape_specs(), matmul_specs(), conv2d_specs(), batch_norm_specs(),
                           pool_specs(), random_specs(), loss_specs(), optimizer_specs(), block_program_specs()}) {
    for (const OpSpec& spec : specs) table.push_back(&spec);
  }
  std::sort(table.begin(), table.end(), [](auto* a, auto* b) { return a->name < b->name; });
  return table;
}

}  // namespace

std::span<const OpSpec* const> all_ops() {
  static const std::vector<const OpSpec*> table = make_table();
  return table;
}

const OpSpec& find_op(std::string_view name) {
  const auto ops = all_ops();
  const auto it = std::lower_bound(ops.begin(), ops.end(), name, [](auto* op, auto n) { return op->name < n; });
  if (it == ops.end() || (*it)->name != name) fail<Error>("there is no op '{}'", name);
  return **it;
}

void InferContext::require_inputs(size_t count) const {
  require(inputs.size() == count, "{} takes {} inputs, got {}", op, count, inputs.size());
}

void InferContext::require_real(size_t i) const {
  require(inputs[i].dtype == real, "input {} of {} is {}, expected {}", i, op, to_string(inputs[i]), name_of(real));
}

void InferContext::require_rank(size_t i, size_t rank) const {
  require(inputs[i].shape.size() == rank, "input {} of {} is {}, expected {} axes", i, op, to_string(inputs[i]), rank);
}

void InferContext::require_same(size_t a, size_t b) const {
  require(inputs[a] == inputs[b], "{} needs equal types, got {} and {}", op, to_string(inputs[a]), to_string(inputs[b]));
}

Cost cost_of(const Graph& graph, const Node& node) {
  Cost cost;
  if (node.op->is_view || node.op->is_source) return cost;
  for (ValueId id : node.inputs) cost.bytes += static_cast<int64_t>(graph.type(id).bytes());
  for (ValueId id : node.outputs) {
    cost.bytes += static_cast<int64_t>(graph.type(id).bytes());
    cost.flops += graph.type(id).size();
  }
  if (node.op->bytes) cost.bytes = node.op->bytes(graph, node);
  if (node.op->flops) cost.flops = node.op->flops(graph, node);
  return cost;
}

DType parse_dtype(const std::string& name) {
  for (const DType d : {DType::f32, DType::f64, DType::u8, DType::i32, DType::i64, DType::u64}) {
    if (name == name_of(d)) return d;
  }
  fail<Error>("there is no element type '{}'", name);
}

}  // namespace forger
