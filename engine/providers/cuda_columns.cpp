// Convolutions of the CUDA provider that go on with the batch norm or the sum behind them in the same launch: block_programs of
// the two (engine/passes/join_columns.cpp). What these decline, block_program_launches runs one by one.
#include <array>

#include "engine/ops/block_program.h"
#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"
#include "engine/providers/cuda_gemm.h"
#include "engine/providers/cuda_statistics.h"
#include "engine/providers/program_adapter.h"
#include "kernels/cuda/conv2d.h"
#include "kernels/cuda/conv2d_few_channels.h"
#include "kernels/cuda/waiting_plan.h"

namespace forger::FORGER_DEVICE {
namespace {

/// ..._grad_sums: a batch norm's backward pass in two launches, for grids that are too large to wait.
enum class Kind : uint8_t {
  forward,
  conv2d_grad,
  input_grad_grad,
  conv2d_grad_sums,
  input_grad_grad_sums,
  conv2d_sums,
  input_grad_sums,
};
inline constexpr size_t kKinds = 7;

constexpr bool is_input_grad(Kind kind) {
  return kind == Kind::input_grad_grad || kind == Kind::input_grad_grad_sums || kind == Kind::input_grad_sums;
}
constexpr ColumnWork work_of(Kind kind) {
  switch (kind) {
    case Kind::forward:
      return ColumnWork::normalise;
    case Kind::conv2d_grad:
    case Kind::input_grad_grad:
      return ColumnWork::gradient;
    case Kind::conv2d_grad_sums:
    case Kind::input_grad_grad_sums:
      return ColumnWork::gradient_sums;
    case Kind::conv2d_sums:
    case Kind::input_grad_sums:
      return ColumnWork::sums;
  }
  return ColumnWork::none;
}
constexpr bool is_norm_grad(ColumnWork work) {
  return work == ColumnWork::gradient || work == ColumnWork::gradient_sums;
}

/// The two nodes of the program; null if they are not of this kind.
struct Nodes {
  const Node *convolution = nullptr, *norm = nullptr;  // the second may be a sum
};

template <Kind kKind>
Nodes nodes_of(const Graph& program) {
  Nodes nodes;
  for (const Node& node : program.nodes()) {
    if (node.op->is_source) continue;
    if (nodes.norm) return {};
    (nodes.convolution ? nodes.norm : nodes.convolution) = &node;
  }
  if (!nodes.norm) return {};
  constexpr ColumnWork kWork = work_of(kKind);
  constexpr std::string_view kSecond = kWork == ColumnWork::normalise ? "batch_norm_apply"
                                       : is_norm_grad(kWork)          ? "batch_norm_grad"
                                                                      : "reduce_sum";
  const bool right = nodes.convolution->op->name == (is_input_grad(kKind) ? "conv2d_input_grad" : "conv2d") &&
                     nodes.norm->op->name == kSecond &&
                     nodes.norm->inputs[is_norm_grad(kWork) ? 1 : 0] == nodes.convolution->outputs[0];
  return right ? nodes : Nodes{};
}

template <Kind kKind>
struct Product {
  Conv2dShape shape;
  GemmSize size;
  bool vectors;
  static constexpr ColumnWork kWork = work_of(kKind);
  static constexpr Sequel kSequel = kWork == ColumnWork::normalise ? kNormalise : kNormGrad;

  explicit Product(const Node& convolution) : shape(conv2d_shape(convolution.attributes)) {
    if constexpr (is_input_grad(kKind)) {
      size = conv2d_input_grad_size(shape);
      vectors = conv2d_input_grad_vectors(shape);
    } else {
      size = conv2d_size(shape);
      vectors = conv2d_vectors(shape);
    }
  }
  const char* declines() const {
    if (size.n % 4 != 0) return "channels are no multiple of 4";
    constexpr bool kInputGrad = is_input_grad(kKind);
    const bool direct = kInputGrad ? !input_grad_few_inputs_declines(shape) || !input_grad_few_outputs_declines(shape)
                                   : !few_inputs_declines(shape) || !few_outputs_declines(shape);
    return direct ? "so few channels are a direct kernel's" : nullptr;
  }
  ColumnNeeds needs(Arithmetic arithmetic, const GemmPlan& plan) const {
    constexpr auto needs_of = is_input_grad(kKind) ? conv2d_input_grad_needs : conv2d_needs;
    ColumnNeeds needs = needs_of(shape, arithmetic, plan, kWork);
    constexpr size_t kAlignment = 16;
    needs.workspace_bytes = (needs.workspace_bytes + kAlignment - 1) / kAlignment * kAlignment + gradient_sums_bytes();
    return needs;
  }
  /// dbeta and dgamma between the two launches: the workspace's last bytes.
  size_t gradient_sums_bytes() const {
    return kWork == ColumnWork::gradient_sums ? 2 * sizeof(float) * static_cast<size_t>(size.n) : 0;
  }
  float* gradient_sums(void* workspace, const ColumnNeeds& needs) const {
    return reinterpret_cast<float*>(static_cast<std::byte*>(workspace) + needs.workspace_bytes - gradient_sums_bytes());
  }
};

template <Kind kKind>
std::optional<GemmPlan> best_plan(const Product<kKind>& p, Arithmetic arithmetic, const Target& target) {
  if (!blocks_wait(p.kWork)) return plan_gemm(p.size, arithmetic, p.vectors, target.multiprocessors, true);
  return plan_waiting_gemm(p.size, arithmetic, p.vectors, p.kSequel, target.multiprocessors, target.together);
}

template <Kind kKind, Arithmetic kArithmetic>
std::optional<std::string> declines(const NodeView& v) {
  if (auto reason = needs_f32(v)) return reason;
  if (!runs_together(v.node())) return "its nodes run one by one";
  const Nodes nodes = nodes_of<kKind>(program_of(v.node()));
  if (!nodes.norm) return "other nodes";
  const Product<kKind> p(*nodes.convolution);
  if (const char* reason = p.declines()) return reason;
  for (size_t i = 0; i <= v.num_inputs(); ++i) {
    const TensorType& type = i < v.num_inputs() ? v.input(i) : v.output(0);
    if (type.size() > kMaxGemmElements)
      return fmt::format("a tensor has {} elements, at most {} are possible", type.size(), kMaxGemmElements);
  }
  if (blocks_wait(p.kWork) && v.target().together == 0) return "blocks must not wait for each other here";
  if (!best_plan(p, kArithmetic, v.target()))
    return "no plan has all its blocks under way at once and is faster than two launches";
  return std::nullopt;
}

template <Kind kKind, Arithmetic kArithmetic>
std::vector<std::string> plans_of(const NodeView& v) {
  const Product<kKind> p(*nodes_of<kKind>(program_of(v.node())).convolution);
  const Target& target = v.target();
  const auto plans = blocks_wait(p.kWork) ? waiting_plan_candidates(p.size, kArithmetic, p.vectors, p.kSequel,
                                                                    target.multiprocessors, target.together)
                                          : plan_candidates(p.size, kArithmetic, p.vectors, target.multiprocessors, true);
  std::vector<std::string> all;
  for (const GemmPlan& plan : plans) all.push_back(to_text(plan));
  return all;
}

/// The plan that was timed for the node, or the best by estimate.
template <Kind kKind>
GemmPlan plan_for(const NodeView& v, const Product<kKind>& p, Arithmetic arithmetic) {
  const Multiprocessors& gpu = v.target().multiprocessors;
  const auto timed = timed_plan<GemmPlan>(v, [&](const auto& f) {
    for_each_plan(p.size, arithmetic, p.vectors, true, gpu, [&](const GemmPlan& chosen) {
      for_depths(p.size, arithmetic, chosen, gpu, [&](const GemmPlan& plan) {
        if (!blocks_wait(p.kWork) || fits_at_once(p.size, arithmetic, plan, gpu, v.target().together)) f(plan);
      });
    });
  });
  return timed ? *timed : *best_plan(p, arithmetic, v.target());
}

/// Where the operands of a node of the program are: inputs of the program are its first values. Null: a result of the other node.
std::vector<void*> operands_of(const Node& node, const KernelArgs& a) {
  std::vector<void*> operands;
  for (ValueId id : node.inputs) {
    const auto i = static_cast<size_t>(id);
    operands.push_back(i < a.inputs.size() ? a.inputs[i] : nullptr);
  }
  return operands;
}

template <Kind kKind, Arithmetic kArithmetic>
PreparedKernel prepare(const NodeView& v) {
  const auto program = v.attributes().get<Subgraph>("program").graph;
  const Nodes nodes = nodes_of<kKind>(*program);
  const NodeView convolution(*program, *nodes.convolution, v.target()), norm(*program, *nodes.norm, v.target());
  const Product<kKind> p(*nodes.convolution);
  const GemmPlan plan = plan_for(v, p, kArithmetic);
  const ColumnNeeds needs = p.needs(kArithmetic, plan);
  const Rows rows = rows_of(norm.input(0));
  const auto statistics = statistics_of(convolution);
  const TapeOf tape(epilogue_view(kKind == Kind::forward ? norm : convolution));
  const auto run = [=, bias = has_bias(convolution), multiprocessors = v.target().multiprocessors.count](const KernelArgs& a) {
    const auto of_convolution = operands_of(*nodes_of<kKind>(*program).convolution, a);
    const auto of_norm = operands_of(*nodes_of<kKind>(*program).norm, a);
    const KernelArgs first{of_convolution, a.outputs, nullptr}, second{of_norm, a.outputs, nullptr};
    const GemmScratch scratch{static_cast<float*>(a.workspace), a.counters};
    const float* const add = bias ? first.in<float>(2) : nullptr;
    constexpr auto launch = is_input_grad(kKind) ? conv2d_input_grad : conv2d;
    if constexpr (p.kWork == ColumnWork::sums) {
      tape.pass(first, [&](const EpilogueArgs& epilogue) {
        launch(p.shape, kArithmetic, plan, first.in<float>(0), first.in<float>(1), add, a.out<float>(0), scratch, a.stream,
               epilogue, {.sums = a.out<float>(1)});
      });
    } else if constexpr (kKind == Kind::forward) {
      const BatchNormStatistics to = statistics_args(*statistics, first);
      const BatchNormApply apply{second.in<float>(3), second.in<float>(4), a.out<float>(5)};
      tape.pass(second, [&](const EpilogueArgs& epilogue) {
        launch(p.shape, kArithmetic, plan, first.in<float>(0), first.in<float>(1), add, a.out<float>(0), scratch, a.stream,
               epilogue, {.statistics = &to, .apply = &apply});
      });
    } else {
      const BatchNormGrad grad{.M = rows.rows,
                               .C = rows.channels,
                               .x = second.in<float>(0),
                               .dy = nullptr,
                               .gamma = second.in<float>(2),
                               .mean = second.in<float>(3),
                               .inv_std = second.in<float>(4),
                               .dx = a.out<float>(0),
                               .dgamma = a.out<float>(1),
                               .dbeta = a.out<float>(2)};
      constexpr bool kWaits = blocks_wait(p.kWork);  // else dy is written where dx will be
      float* const sums = kWaits ? nullptr : p.gradient_sums(a.workspace, needs);
      tape.pass(first, [&](const EpilogueArgs& epilogue) {
        launch(p.shape, kArithmetic, plan, first.in<float>(0), first.in<float>(1), add, kWaits ? nullptr : grad.dx, scratch,
               a.stream, epilogue, {.gradient = &grad, .gradient_sums = sums});
      });
      if constexpr (!kWaits) {
        BatchNormGrad rest = grad;
        rest.dy = grad.dx;
        batch_norm_grad_apply(rest, sums, multiprocessors, a.stream);
      }
    }
  };
  return {run, needs.workspace_bytes, needs.counters, needs.flags, in_words(plan, kArithmetic)};
}

/// For programs that no other kernel runs.
PreparedKernel prepare_launches(const NodeView& v) {
  const Provider* const providers[] = {&provider()};
  return prepare_one_by_one(v, providers);
}

/// Names of the kernels of one arithmetic, by Kind.
using Names = std::array<std::string_view, kKinds>;

template <Arithmetic kArithmetic>
void add_rows(std::vector<Kernel>& table, const Names& names, Precision precision) {
  const auto add = [&]<Kind kKind>() {
    table.push_back({"block_program",
                     names[static_cast<size_t>(kKind)],
                     declines<kKind, kArithmetic>,
                     prepare<kKind, kArithmetic>,
                     {.operands = precision},
                     precision,
                     plans_of<kKind, kArithmetic>});
  };
  add.template operator()<Kind::forward>();
  add.template operator()<Kind::conv2d_grad>();
  add.template operator()<Kind::input_grad_grad>();
  add.template operator()<Kind::conv2d_grad_sums>();
  add.template operator()<Kind::input_grad_grad_sums>();
  add.template operator()<Kind::conv2d_sums>();
  add.template operator()<Kind::input_grad_sums>();
}

}  // namespace

std::vector<Kernel> column_kernels() {
  using enum Arithmetic;
  std::vector<Kernel> table;
  add_rows<ffma>(
      table,
      {"conv2d_batch_norm_ffma", "conv2d_norm_grad_ffma", "conv2d_input_grad_norm_grad_ffma", "conv2d_norm_grad_sums_ffma",
       "conv2d_input_grad_norm_grad_sums_ffma", "conv2d_sums_ffma", "conv2d_input_grad_sums_ffma"},
      Precision::fp32);
  add_rows<tf32x3>(table,
                   {"conv2d_batch_norm_3xtf32", "conv2d_norm_grad_3xtf32", "conv2d_input_grad_norm_grad_3xtf32",
                    "conv2d_norm_grad_sums_3xtf32", "conv2d_input_grad_norm_grad_sums_3xtf32", "conv2d_sums_3xtf32",
                    "conv2d_input_grad_sums_3xtf32"},
                   Precision::fp32);
  add_rows<tf32>(
      table,
      {"conv2d_batch_norm_tf32", "conv2d_norm_grad_tf32", "conv2d_input_grad_norm_grad_tf32", "conv2d_norm_grad_sums_tf32",
       "conv2d_input_grad_norm_grad_sums_tf32", "conv2d_sums_tf32", "conv2d_input_grad_sums_tf32"},
      Precision::tf32);
  add_rows<bf16>(
      table,
      {"conv2d_batch_norm_bf16", "conv2d_norm_grad_bf16", "conv2d_input_grad_norm_grad_bf16", "conv2d_norm_grad_sums_bf16",
       "conv2d_input_grad_norm_grad_sums_bf16", "conv2d_sums_bf16", "conv2d_input_grad_sums_bf16"},
      Precision::bf16);
  table.push_back({"block_program", "block_program_launches", needs_f32, prepare_launches, {.of_nodes = true}});
  return table;
}

}  // namespace forger::FORGER_DEVICE
