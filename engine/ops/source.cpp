// Values that come from outside (variables, inputs), constants, dataset rows and counters.
#include "engine/ops/common.h"

namespace forger {
namespace {

std::vector<TensorType> infer_declared(const InferContext& c) {
  c.require_inputs(0);
  const TensorType type{parse_dtype(c.attributes.text("dtype")), c.attributes.list("shape")};
  for (int64_t extent : type.shape) c.require(extent > 0, "shape {} has an extent below 1", to_string(type.shape));
  return {type};
}

std::vector<TensorType> infer_gather(const InferContext& c) {
  c.require_inputs(2);
  const TensorType &table = c.inputs[0], &indices = c.inputs[1];
  c.require(!table.shape.empty() && indices.dtype == DType::i32 && indices.shape.size() == 1,
            "gather takes a table and i32 [N] row numbers, got {} and {}", to_string(table), to_string(indices));
  c.require(table.dtype == DType::u8 || table.dtype == DType::i32 || table.dtype == c.real,
            "gather's table is {}, expected u8, i32 or {}", to_string(table), name_of(c.real));
  Shape shape = table.shape;
  shape[0] = indices.shape[0];
  return {{table.dtype == DType::i32 ? DType::i32 : c.real, shape}};
}

std::vector<TensorType> infer_increment(const InferContext& c) {
  c.require_inputs(1);
  c.require(c.inputs[0] == TensorType{DType::i64, {}}, "increment takes i64 [], got {}", to_string(c.inputs[0]));
  return {c.inputs[0]};
}

const OpSpec kSpecs[] = {
    {.name = "variable", .infer = infer_declared, .is_source = true},
    {.name = "input", .infer = infer_declared, .is_source = true},
    {.name = "fill", .infer = infer_declared},
    {.name = "gather",
     .infer = infer_gather,
     .bytes =
         [](const Graph& g, const Node& n) {  // of the table only the rows that are asked for
           const TensorType &rows = g.type(n.outputs[0]), &table = g.type(n.inputs[0]);
           const auto read = rows.size() * static_cast<int64_t>(table.bytes()) / table.size();
           return read + static_cast<int64_t>(rows.bytes() + g.type(n.inputs[1]).bytes());
         }},
    {.name = "increment", .infer = infer_increment, .in_place = [](const Node&) { return InPlace{{0}}; }},
};

}  // namespace

std::span<const OpSpec> source_specs() {
  return kSpecs;
}

Value fill(Graph& graph, double value, Shape shape) {
  return graph.add(find_op("fill"), {}, {{"dtype", name_of(graph.real())}, {"shape", shape}, {"value", value}})[0];
}

Value gather(Value table, Value indices) {
  return add_node("gather", {table, indices});
}
Value increment(Value counter) {
  return add_node("increment", {counter});
}

}  // namespace forger
