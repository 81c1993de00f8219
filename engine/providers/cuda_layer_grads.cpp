// The gradients of a layer (engine/ops/layer_grads.h) in one launch.
#include "engine/ops/block_program.h"
#include "engine/ops/layer_grads.h"
#include "engine/ops/ops.h"
#include "engine/providers/cuda_gemm.h"
#include "kernels/cuda/conv2d_few_channels.h"
#include "kernels/cuda/conv2d_grads.h"

namespace forger::FORGER_DEVICE {
namespace {

constexpr const char* kNoLayer = "not the gradients of a layer";

/// A dense layer's weights [in, out] are the filter of a transposed convolution of one pixel.
Conv2dShape shape_of(const Graph& program, const LayerGrads& grads) {
  if (grads.layer != Layer::dense) return conv2d_shape(grads.filter->attributes);
  const Shape &x = program.type(grads.filter->inputs[0]).shape, &g = program.type(grads.filter->inputs[1]).shape;
  return {.N = x[0], .H = 1, .W = 1, .C = g[1], .K = x[1], .R = 1, .S = 1, .P = 1, .Q = 1};
}

Conv2dGrads grads_of(const Graph& program, const LayerGrads& grads) {
  return {.shape = shape_of(program, grads),
          .transposed = grads.layer != Layer::convolution,
          .of_input = grads.input != nullptr,
          .of_bias = grads.bias != nullptr};
}

std::optional<std::string> tensors_decline(const NodeView& v) {
  if (!runs_together(v.node())) return "results may lie where others are still read";
  if (auto reason = needs_f32(v)) return reason;
  for (size_t i = 0; i < v.num_inputs() + v.num_outputs(); ++i) {
    const TensorType& type = i < v.num_inputs() ? v.input(i) : v.output(i - v.num_inputs());
    if (type.size() > kMaxGemmElements) return "a tensor has more elements than there are 32-bit offsets";
  }
  return std::nullopt;
}

template <Arithmetic kArithmetic>
std::optional<std::string> declines_grads(const NodeView& v) {
  const Graph& program = program_of(v.node());
  const auto grads = layer_grads_of(program);
  if (!grads) return kNoLayer;
  if (auto reason = tensors_decline(v)) return reason;
  const Conv2dShape s = shape_of(program, *grads);
  if (grads->layer == Layer::convolution && !few_filter_grad_declines(s)) return "so few channels are a direct kernel's";
  if (const char* const reason = conv2d_grads_declines(s)) return reason;
  if (!is_faster_as_pair(grads_of(program, *grads).products(), kArithmetic, v.target().multiprocessors)) {
    return "the products want unlike tiles: two launches are faster by estimate";
  }
  return std::nullopt;
}

std::optional<std::string> declines_few(const NodeView& v) {
  const Graph& program = program_of(v.node());
  const auto grads = layer_grads_of(program);
  if (!grads) return kNoLayer;
  if (auto reason = tensors_decline(v)) return reason;
  if (grads->layer != Layer::convolution || grads->input) return "not filter and bias gradient of a convolution";
  const char* const reason = few_filter_grad_declines(shape_of(program, *grads));
  return reason ? std::optional<std::string>(reason) : std::nullopt;
}

/// Where a kernel finds what the program's nodes read and write.
class Places {
 public:
  Places(const Graph& program, const LayerGrads& grads) {
    filter_inputs_ = indices(grads.filter->inputs);
    filter_ = output(program, grads.filter);
    input_ = output(program, grads.input);
    bias_ = output(program, grads.bias);
    if (grads.input) input_inputs_ = indices(grads.input->inputs);
  }

  const float* filter_operand(const KernelArgs& a, size_t i) const { return a.in<float>(filter_inputs_[i]); }
  float* filter_grad(const KernelArgs& a) const { return result(a, filter_); }
  float* input_grad(const KernelArgs& a) const { return result(a, input_); }
  float* bias_grad(const KernelArgs& a) const { return result(a, bias_); }

  /// The inputs of the node that makes the input's gradient.
  std::vector<void*> input_operands(const KernelArgs& a) const {
    std::vector<void*> all;
    for (const size_t i : input_inputs_) all.push_back(a.inputs[i]);
    return all;
  }

 private:
  /// The program's inputs are its first values.
  static std::vector<size_t> indices(const std::vector<ValueId>& ids) { return {ids.begin(), ids.end()}; }
  static std::optional<size_t> output(const Graph& program, const Node* node) {
    for (size_t o = 0; node && o < program.outputs().size(); ++o) {
      if (program.outputs()[o].second == node->outputs[0]) return o;
    }
    return std::nullopt;
  }
  static float* result(const KernelArgs& a, const std::optional<size_t>& o) { return o ? a.out<float>(*o) : nullptr; }

  std::vector<size_t> filter_inputs_, input_inputs_;
  std::optional<size_t> filter_, input_, bias_;
};

/// The plan that was timed for the node, or the best by estimate.
GemmPairPlan plan_for(const NodeView& v, const GemmPair& pair, Arithmetic arithmetic) {
  const Multiprocessors& gpu = v.target().multiprocessors;
  const auto timed = timed_plan<GemmPairPlan>(v, [&](const auto& f) {
    for_each_pair_plan(pair, arithmetic, gpu, [&](const GemmPairPlan& plan) { for_depths(pair, arithmetic, plan, gpu, f); });
  });
  return timed ? *timed : plan_pair(pair, arithmetic, gpu);
}

template <Arithmetic kArithmetic>
std::vector<std::string> plans_of(const NodeView& v) {
  const Graph& program = program_of(v.node());
  const GemmPair pair = grads_of(program, *layer_grads_of(program)).products();
  std::vector<std::string> all;
  for (const GemmPairPlan& plan : pair_plan_candidates(pair, kArithmetic, v.target().multiprocessors)) {
    all.push_back(to_text(plan));
  }
  return all;
}

template <Arithmetic kArithmetic>
PreparedKernel prepare_grads(const NodeView& v) {
  const Graph& program = program_of(v.node());
  const LayerGrads grads = *layer_grads_of(program);
  const Conv2dGrads g = grads_of(program, grads);
  const Conv2dGradsPlan plan = conv2d_grads_plan(g, plan_for(v, g.products(), kArithmetic), v.target().multiprocessors);
  const size_t gradient = *gradient_of_filter_grad(*grads.filter, grads.layer);
  std::optional<Epilogues> epilogues;
  if (grads.input) epilogues.emplace(NodeView(program, *grads.input, v.target()));
  const std::string words = (grads.input ? "input gradient: " + in_words(plan.products.first, kArithmetic) + "; " : "") +
                            "filter gradient: " + in_words(plan.products.second, kArithmetic);
  return {[g, plan, gradient, epilogues, places = Places(program, grads)](const KernelArgs& a) {
            const std::vector<void*> operands = places.input_operands(a);
            const Conv2dGradsArgs args{.gradient = places.filter_operand(a, gradient),
                                       .w = operands.empty() ? nullptr : static_cast<const float*>(operands[1]),
                                       .input = places.filter_operand(a, 1 - gradient),
                                       .input_grad = places.input_grad(a),
                                       .filter_grad = places.filter_grad(a),
                                       .bias_grad = places.bias_grad(a)};
            const auto start = [&](const EpilogueArgs& epilogue) {
              conv2d_grads(g, kArithmetic, plan, args, scratch_of(a), a.stream, epilogue);
            };
            if (!epilogues) return start({});
            KernelArgs of_input = a;
            of_input.inputs = operands;
            epilogues->pass(of_input, start);
          },
          conv2d_grads_workspace_bytes(g, plan), conv2d_grads_counters(g, kArithmetic, plan), 0, words};
}

PreparedKernel prepare_few(const NodeView& v) {
  const Graph& program = program_of(v.node());
  const LayerGrads grads = *layer_grads_of(program);
  const Conv2dShape s = shape_of(program, grads);
  const int splits = few_filter_grad_splits(s, v.target().multiprocessors.count);
  return {[s, splits, places = Places(program, grads)](const KernelArgs& a) {
            conv2d_few_filter_grad(s, splits, places.filter_operand(a, 0), places.filter_operand(a, 1), places.filter_grad(a),
                                   places.bias_grad(a), static_cast<float*>(a.workspace), a.counters, a.stream);
          },
          few_filter_grad_workspace_bytes(s, splits), few_filter_grad_counters(s, splits)};
}

}  // namespace

std::vector<Kernel> layer_grads_kernels() {
  using enum Arithmetic;
  constexpr auto fp32 = Precision::fp32;
  return {
      {"block_program", "layer_grads_few_channels", declines_few, prepare_few},
      {"block_program", "layer_grads_ffma", declines_grads<ffma>, prepare_grads<ffma>, {}, fp32, plans_of<ffma>},
      {"block_program", "layer_grads_3xtf32", declines_grads<tf32x3>, prepare_grads<tf32x3>, {}, fp32, plans_of<tf32x3>},
      {"block_program", "layer_grads_tf32", declines_grads<tf32>, prepare_grads<tf32>, kTf32, Precision::tf32, plans_of<tf32>},
      {"block_program", "layer_grads_bf16", declines_grads<bf16>, prepare_grads<bf16>, kBf16, Precision::bf16, plans_of<bf16>},
  };
}

}  // namespace forger::FORGER_DEVICE
