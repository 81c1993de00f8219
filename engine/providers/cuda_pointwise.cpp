// Elementwise ops, reductions and data movement of the CUDA provider.
#include "engine/ops/op_spec.h"
#include "engine/providers/adapters.h"
#include "engine/providers/cuda_tables.h"
#include "kernels/cuda/concat.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/fill.h"
#include "kernels/cuda/gather.h"
#include "kernels/cuda/max_pool.h"
#include "kernels/cuda/reduce_sum.h"
#include "kernels/cuda/strided_copy.h"

namespace forger::FORGER_DEVICE {
namespace {

std::optional<std::string> always(const NodeView&) {
  return std::nullopt;
}

std::optional<std::string> declines_elementwise(const NodeView& v) {
  if (auto reason = needs_f32(v)) return reason;
  const ElementwiseTape tape = tape_of(v);
  const size_t inputs = tape.num_inputs, instructions = tape.instructions.size();
  if (inputs <= kMaxTapeInputs && instructions <= kMaxTapeInstructions) return std::nullopt;
  return fmt::format("the tape has {} inputs and {} instructions, at most {} and {} are possible", inputs, instructions,
                     kMaxTapeInputs, kMaxTapeInstructions);
}

PreparedKernel prepare_elementwise(const NodeView& v) {
  return {[tape = tape_of(v), periods = periods_of(v), n = v.output(0).size()](const KernelArgs& a) {
    ElementwiseInput<float> inputs[kMaxTapeInputs];
    for (size_t i = 0; i < periods.size(); ++i) inputs[i] = {a.in<float>(i), periods[i]};
    elementwise(tape, {inputs, periods.size()}, tape_source(tape, a), a.out<float>(0), n, a.stream);
  }};
}

PreparedKernel prepare_bias_add(const NodeView& v) {
  return {[tape = ElementwiseTape{2, {{ScalarOp::add, 0, 1, 0.0}}}, n = v.output(0).size(),
           c = v.input(1).size()](const KernelArgs& a) {
    const ElementwiseInput<float> inputs[] = {{a.in<float>(0), n}, {a.in<float>(1), c}};
    elementwise(tape, inputs, {}, a.out<float>(0), n, a.stream);
  }};
}

PreparedKernel prepare_fill(const NodeView& v) {
  return {[n = v.output(0).size(), value = static_cast<float>(v.attributes().real("value"))](const KernelArgs& a) {
    fill(value, a.out<float>(0), n, a.stream);
  }};
}

PreparedKernel prepare_gather(const NodeView& v) {
  const int64_t count = v.output(0).shape[0], row = v.output(0).size() / count;
  const bool bytes = v.input(0).dtype == DType::u8;  // an i32 table's rows are only copied, as floats are
  return {[=](const KernelArgs& a) {
    if (bytes) return gather(a.in<uint8_t>(0), a.in<int32_t>(1), count, row, a.out<float>(0), a.stream);
    gather(a.in<float>(0), a.in<int32_t>(1), count, row, a.out<float>(0), a.stream);
  }};
}

PreparedKernel prepare_max_pool_pick(const NodeView& v) {
  return {[s = pool_shape_of(v)](const KernelArgs& a) {
    max_pool_pick(s, a.in<float>(0), a.in<float>(1), a.out<float>(0), a.stream);
  }};
}

PreparedKernel prepare_max_pool_scatter(const NodeView& v) {
  return {[s = pool_shape_of(v)](const KernelArgs& a) {
    max_pool_scatter(s, a.in<float>(0), a.in<float>(1), a.out<float>(0), a.stream);
  }};
}

ReduceSumPlan reduce_sum_plan(const NodeView& v) {
  return plan_reduce_sum(v.input(0).shape, v.attributes().list("axes"), v.target().multiprocessors.count);
}

std::optional<std::string> declines_reduce_sum(const NodeView& v) {
  if (auto reason = needs_f32(v)) return reason;
  const ReduceSumPlan plan = reduce_sum_plan(v);
  if (std::max(plan.kept.size(), plan.summed.size()) <= kMaxReduceAxes) return std::nullopt;
  return fmt::format("{} kept and {} reduced axes that do not merge, at most {} of each are possible", plan.kept.size(),
                     plan.summed.size(), kMaxReduceAxes);
}

PreparedKernel prepare_reduce_sum(const NodeView& v) {
  const ReduceSumPlan plan = reduce_sum_plan(v);
  return {[plan](const KernelArgs& a) { reduce_sum(plan, a.in<float>(0), a.out<float>(0), a.workspace, a.counters, a.stream); },
          plan.workspace_bytes, plan.counters};
}

/// A view: only if the planner gave the output memory of its own is there something to do.
PreparedKernel prepare_reshape(const NodeView& v) {
  return {[bytes = static_cast<int64_t>(v.output(0).bytes())](const KernelArgs& a) {
    if (a.outputs[0] != a.inputs[0]) copy(a.inputs[0], a.outputs[0], bytes, a.stream);
  }};
}

PreparedKernel prepare_concat(const NodeView& v) {
  const auto axis = static_cast<size_t>(v.attributes().integer("axis"));
  int64_t rows = 1;
  for (size_t i = 0; i < axis; ++i) rows *= v.output(0).shape[i];
  std::vector<ConcatPart> parts;
  for (size_t i = 0; i < v.num_inputs(); ++i) parts.push_back({nullptr, static_cast<int64_t>(v.input(i).bytes()) / rows});
  return {[parts, rows](const KernelArgs& a) mutable {
    for (size_t i = 0; i < parts.size(); ++i) parts[i].data = a.inputs[i];
    concat(parts, rows, a.outputs[0], a.stream);
  }};
}

/// Slice, pad and broadcast_to as copies with index arithmetic.
StridedCopy strided_copy_of(const NodeView& v) {
  const Shape &from = v.input(0).shape, &to = v.output(0).shape;
  const auto bytes = static_cast<int64_t>(size_of(v.input(0).dtype));
  if (v.node().op->name == "slice") return slice_copy(from, v.attributes().list("begin"), to, bytes);
  if (v.node().op->name == "pad") return pad_copy(from, v.attributes().list("before"), to, bytes);
  return broadcast_copy(from, to, bytes);
}

/// The part's place in x.
StridedCopy window_of(const NodeView& v) {
  return slice_copy(v.input(0).shape, v.attributes().list("begin"), v.input(1).shape, sizeof(float));
}

std::optional<std::string> declines_window_add(const NodeView& v) {
  if (auto reason = needs_f32(v)) return reason;
  const size_t axes = window_of(v).axes.size();
  if (axes <= kMaxCopyAxes) return std::nullopt;
  return fmt::format("{} axes that do not merge, at most {} are possible", axes, kMaxCopyAxes);
}

PreparedKernel prepare_window_add(const NodeView& v) {
  const Shape& shape = v.input(0).shape;
  return {[window = window_of(v), all = broadcast_copy(shape, shape, sizeof(float)),
           p = static_cast<float>(v.attributes().real("p"))](const KernelArgs& a) {
    if (a.outputs[0] != a.inputs[0]) strided_copy(all, a.inputs[0], a.outputs[0], a.stream);
    window_add(window, a.in<float>(1), p, a.out<float>(0), a.stream);
  }};
}

std::optional<std::string> declines_strided_copy(const NodeView& v) {
  const size_t axes = strided_copy_of(v).axes.size();
  if (axes <= kMaxCopyAxes) return std::nullopt;
  return fmt::format("{} axes that do not merge, at most {} are possible", axes, kMaxCopyAxes);
}

PreparedKernel prepare_strided_copy(const NodeView& v) {
  return {[c = strided_copy_of(v)](const KernelArgs& a) { strided_copy(c, a.inputs[0], a.outputs[0], a.stream); }};
}

}  // namespace

std::vector<Kernel> pointwise_kernels() {
  std::vector<Kernel> table = {
      {"bias_add", "bias_add_cuda", needs_f32, prepare_bias_add},
      {"broadcast_to", "broadcast_to_cuda", declines_strided_copy, prepare_strided_copy},
      {"concat", "concat_cuda", always, prepare_concat},
      {"fill", "fill_cuda", needs_f32, prepare_fill},
      {"fused_elementwise", "fused_elementwise_cuda", declines_elementwise, prepare_elementwise},
      {"gather", "gather_cuda", needs_f32, prepare_gather},
      {"max_pool_pick", "max_pool_pick_cuda", needs_f32, prepare_max_pool_pick},
      {"max_pool_scatter", "max_pool_scatter_cuda", needs_f32, prepare_max_pool_scatter},
      {"pad", "pad_cuda", declines_strided_copy, prepare_strided_copy},
      {"reduce_sum", "reduce_sum_cuda", declines_reduce_sum, prepare_reduce_sum},
      {"reshape", "reshape_cuda", always, prepare_reshape},
      {"stop_gradient", "stop_gradient_cuda", always, prepare_reshape},
      {"slice", "slice_cuda", declines_strided_copy, prepare_strided_copy},
      {"window_add", "window_add_cuda", declines_window_add, prepare_window_add},
  };
  for (int i = 0; i < kNumScalarOps; ++i) {
    table.push_back({name_of(static_cast<ScalarOp>(i)), "elementwise_cuda", declines_elementwise, prepare_elementwise});
  }
  return table;
}

}  // namespace forger::FORGER_DEVICE
