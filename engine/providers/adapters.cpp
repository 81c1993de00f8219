#include "engine/providers/adapters.h"

#include <algorithm>

#include "engine/ops/epilogue.h"
#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"

namespace forger {

std::optional<std::string> needs_f32(const NodeView& v) {
  if (v.real() == DType::f32) return std::nullopt;
  return std::string("real numbers are ") + name_of(v.real()) + ", expected f32";
}

MatmulSize matmul_size(const NodeView& v) {
  const bool ta = v.attributes().integer("transpose_a") != 0, tb = v.attributes().integer("transpose_b") != 0;
  return {v.output(0).shape[0], v.output(0).shape[1], v.input(0).shape[ta ? 0 : 1], ta, tb};
}

bool has_bias(const NodeView& v) {
  return v.num_inputs() - epilogue_inputs(v.attributes()) == (v.attributes().has("statistics") ? 5 : 3);
}

Rows rows_of(const TensorType& type) {
  const int64_t channels = type.shape.empty() ? 1 : type.shape.back();
  return {type.size() / channels, channels};
}

std::optional<StatisticsOf> statistics_of(const NodeView& v) {
  if (!v.attributes().has("statistics")) return std::nullopt;
  return StatisticsOf{rows_of(v.output(0)), v.attributes().real("epsilon"), v.attributes().real("momentum"), v.num_inputs() - 2};
}

PreparedKernel then_run(PreparedKernel kernel, PreparedKernel statistics) {
  return {[first = std::move(kernel.run), second = std::move(statistics.run)](const KernelArgs& a) {
            first(a);
            second(a);
          },
          std::max(kernel.workspace_bytes, statistics.workspace_bytes), std::max(kernel.counters, statistics.counters)};
}

namespace {

std::optional<EpilogueView> tape_view(const NodeView& v, const Attributes& attributes) {
  const ElementwiseTape* tape = epilogue_of(attributes);
  if (!tape) return std::nullopt;
  EpilogueView view{*tape, v.num_inputs() - epilogue_inputs(attributes), {}};
  for (size_t i = 0; i + 1 < tape->num_inputs; ++i) view.periods.push_back(v.input(view.first + i).size());
  return view;
}

}  // namespace

std::optional<EpilogueView> epilogue_view(const NodeView& v) {
  return tape_view(v, v.attributes());
}

std::optional<EpilogueView> prologue_view(const NodeView& v) {
  return tape_view(v, prologue_as_epilogue(v.attributes()));
}

PoolShape pool_shape_of(const NodeView& v) {
  const Shape& x = v.input(0).shape;
  return {x[0], x[1], x[2], x[3], v.attributes().integer("window")};
}

ElementwiseTape tape_of(const NodeView& v) {
  const ScalarOp* op = scalar_op_of(*v.node().op);
  if (!op) return v.attributes().get<ElementwiseTape>("tape");
  const double p = v.attributes().has("p") ? v.attributes().real("p") : 0.0;
  return {static_cast<uint16_t>(v.num_inputs()), {{*op, 0, 1, p}}};
}

std::vector<int64_t> periods_of(const NodeView& v) {
  std::vector<int64_t> periods;
  for (size_t i = 0; i < tape_of(v).num_inputs; ++i) periods.push_back(v.input(i).size());
  return periods;
}

std::vector<int64_t> group_sizes(const NodeView& v, size_t first, size_t group) {
  std::vector<int64_t> sizes;
  for (size_t i = first; i < v.num_inputs(); i += group) sizes.push_back(v.input(i).size());
  return sizes;
}

RandomSource random_of(const NodeView& v) {
  return {static_cast<uint64_t>(v.attributes().integer("stream")), v.num_inputs() - 2};
}

TapeRandom tape_random(const ElementwiseTape& tape, const KernelArgs& args) {
  if (!draws_random(tape)) return {};
  const size_t seed = args.inputs.size() - 2;
  return {*args.in<uint64_t>(seed), static_cast<uint64_t>(*args.in<int64_t>(seed + 1))};
}

}  // namespace forger
