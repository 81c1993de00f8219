// Batch norm, losses, optimizers and random numbers of the CUDA provider.
#include "engine/ops/block_program.h"
#include "engine/ops/epilogue.h"
#include "engine/providers/adapters.h"
#include "engine/providers/cuda_program.h"
#include "engine/providers/cuda_tables.h"
#include "engine/providers/cuda_tape.h"
#include "kernels/cuda/batch_norm.h"
#include "kernels/cuda/increment.h"
#include "kernels/cuda/losses.h"
#include "kernels/cuda/matmul_program.h"
#include "kernels/cuda/optimizers.h"
#include "kernels/cuda/random.h"
#include "kernels/cuda/vector_grads.h"

namespace forger::FORGER_DEVICE {
namespace {

std::optional<std::string> always(const NodeView&) {
  return std::nullopt;
}

PreparedKernel prepare_increment(const NodeView&) {
  return {[](const KernelArgs& a) { increment(a.in<int64_t>(0), a.out<int64_t>(0), a.stream); }};
}

PreparedKernel prepare_batch_norm_training(const NodeView& v) {
  const Rows s = rows_of(v.input(0));
  const double epsilon = v.attributes().real("epsilon"), momentum = v.attributes().real("momentum");
  const int multiprocessors = v.target().multiprocessors.count;
  return {[=, tape = TapeOf(epilogue_view(v))](const KernelArgs& a) {
            tape.pass(a, [&](const EpilogueArgs& epilogue) {
              batch_norm_training({.M = s.rows,
                                   .C = s.channels,
                                   .x = a.in<float>(0),
                                   .gamma = a.in<float>(1),
                                   .beta = a.in<float>(2),
                                   .running_mean = a.in<float>(3),
                                   .running_var = a.in<float>(4),
                                   .epsilon = epsilon,
                                   .momentum = momentum,
                                   .y = a.out<float>(0),
                                   .mean = a.out<float>(1),
                                   .inv_std = a.out<float>(2),
                                   .new_running_mean = a.out<float>(3),
                                   .new_running_var = a.out<float>(4)},
                                  multiprocessors, a.workspace, a.stream, epilogue);
            });
          },
          batch_norm_workspace_bytes(s.rows, s.channels, multiprocessors)};
}

PreparedKernel prepare_batch_norm_apply(const NodeView& v) {
  const Rows s = rows_of(v.input(0));
  return {[=, tape = TapeOf(epilogue_view(v)), multiprocessors = v.target().multiprocessors.count](const KernelArgs& a) {
    tape.pass(a, [&](const EpilogueArgs& epilogue) {
      batch_norm_inference({.M = s.rows,
                            .C = s.channels,
                            .x = a.in<float>(0),
                            .gamma = a.in<float>(3),
                            .beta = a.in<float>(4),
                            .mean = a.in<float>(1),
                            .var = nullptr,
                            .inv_std = a.in<float>(2),
                            .epsilon = 0.f,
                            .y = a.out<float>(0)},
                           multiprocessors, a.stream, epilogue);
    });
  }};
}

PreparedKernel prepare_batch_norm_inference(const NodeView& v) {
  const Rows s = rows_of(v.input(0));
  const auto epsilon = static_cast<float>(v.attributes().real("epsilon"));
  return {[=, multiprocessors = v.target().multiprocessors.count](const KernelArgs& a) {
    batch_norm_inference({.M = s.rows,
                          .C = s.channels,
                          .x = a.in<float>(0),
                          .gamma = a.in<float>(1),
                          .beta = a.in<float>(2),
                          .mean = a.in<float>(3),
                          .var = a.in<float>(4),
                          .inv_std = nullptr,
                          .epsilon = epsilon,
                          .y = a.out<float>(0)},
                         multiprocessors, a.stream);
  }};
}

PreparedKernel prepare_batch_norm_grad(const NodeView& v) {
  const Rows s = rows_of(v.input(0));
  const int multiprocessors = v.target().multiprocessors.count;
  return {[=, tape = TapeOf(prologue_view(v))](const KernelArgs& a) {
            tape.pass(a, [&](const EpilogueArgs& epilogue) {
              batch_norm_grad({.M = s.rows,
                               .C = s.channels,
                               .x = a.in<float>(0),
                               .dy = a.in<float>(1),
                               .gamma = a.in<float>(2),
                               .mean = a.in<float>(3),
                               .inv_std = a.in<float>(4),
                               .dx = a.out<float>(0),
                               .dgamma = a.out<float>(1),
                               .dbeta = a.out<float>(2)},
                              multiprocessors, a.workspace, a.stream, epilogue);
            });
          },
          batch_norm_workspace_bytes(s.rows, s.channels, multiprocessors)};
}

PreparedKernel prepare_bce_with_logits(const NodeView& v) {
  const int64_t n = v.input(0).size();
  return {[n](const KernelArgs& a) {
            bce_with_logits(a.in<float>(0), a.in<float>(1), n, a.out<float>(0), a.out<float>(1), a.workspace, a.stream);
          },
          bce_with_logits_workspace_bytes(n)};
}

PreparedKernel prepare_softmax(const NodeView& v) {
  return {
      [s = rows_of(v.input(0))](const KernelArgs& a) { softmax(a.in<float>(0), s.rows, s.channels, a.out<float>(0), a.stream); }};
}

PreparedKernel prepare_softmax_cross_entropy(const NodeView& v) {
  const Rows s = rows_of(v.input(0));
  return {[s](const KernelArgs& a) {
            softmax_cross_entropy(a.in<float>(0), a.in<int32_t>(1), s.rows, s.channels, a.out<float>(0), a.out<float>(1),
                                  a.workspace, a.stream);
          },
          softmax_cross_entropy_workspace_bytes(s.rows)};
}

/// Inputs: `first` scalars, then per tensor parameter, gradient and slots; outputs: per tensor parameter and slots.
std::vector<OptimizerTensor> tensors_of(const KernelArgs& a, const std::vector<int64_t>& sizes, size_t first, size_t slots) {
  std::vector<OptimizerTensor> tensors;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const size_t in = first + (2 + slots) * i, out = (1 + slots) * i;
    OptimizerTensor t{
        .n = sizes[i], .p = a.in<float>(in), .g = a.in<float>(in + 1), .slot = {}, .new_p = a.out<float>(out), .new_slot = {}};
    for (size_t s = 0; s < slots; ++s) {
      t.slot[s] = a.in<float>(in + 2 + s);
      t.new_slot[s] = a.out<float>(out + 1 + s);
    }
    tensors.push_back(t);
  }
  return tensors;
}

PreparedKernel prepare_adam(const NodeView& v) {
  const Attributes& at = v.attributes();
  return {[sizes = group_sizes(v, 2, 4), b1 = at.real("beta1"), b2 = at.real("beta2"), e = at.real("epsilon")](
              const KernelArgs& a) { adam(tensors_of(a, sizes, 2, 2), a.in<int64_t>(0), a.in<float>(1), b1, b2, e, a.stream); }};
}

PreparedKernel prepare_sgd_momentum(const NodeView& v) {
  return {[sizes = group_sizes(v, 1, 3), momentum = v.attributes().real("momentum")](const KernelArgs& a) {
    sgd_momentum(tensors_of(a, sizes, 1, 1), a.in<float>(0), momentum, a.stream);
  }};
}

PreparedKernel prepare_rmsprop(const NodeView& v) {
  return {[sizes = group_sizes(v, 1, 3), rho = v.attributes().real("rho"), epsilon = v.attributes().real("epsilon")](
              const KernelArgs& a) { rmsprop(tensors_of(a, sizes, 1, 1), a.in<float>(0), rho, epsilon, a.stream); }};
}

PhiloxSource source_of(const KernelArgs& a, const RandomSource& r) {
  return {a.in<uint64_t>(r.seed_input), a.in<int64_t>(r.seed_input + 1), r.stream};
}

PreparedKernel prepare_random_uniform(const NodeView& v) {
  const auto low = static_cast<float>(v.attributes().real("low")), high = static_cast<float>(v.attributes().real("high"));
  return {[=, r = random_of(v), n = v.output(0).size()](const KernelArgs& a) {
    random_uniform(source_of(a, r), low, high, a.out<float>(0), n, a.stream);
  }};
}

PreparedKernel prepare_random_normal(const NodeView& v) {
  const auto mean = static_cast<float>(v.attributes().real("mean")), stddev = static_cast<float>(v.attributes().real("stddev"));
  return {[=, r = random_of(v), n = v.output(0).size()](const KernelArgs& a) {
    random_normal(source_of(a, r), mean, stddev, a.out<float>(0), n, a.stream);
  }};
}

PreparedKernel prepare_random_indices(const NodeView& v) {
  const Attributes& at = v.attributes();
  const EpochDraw draw{at.integer("count"), at.integer("population"), at.integer("draw"), at.integer("draws_per_step")};
  return {[=, r = random_of(v), replacement = at.integer("replacement") != 0](const KernelArgs& a) {
    if (replacement) return random_rows(source_of(a, r), draw.population, a.out<int32_t>(0), draw.count, a.stream);
    epoch_rows(source_of(a, r), draw, a.out<int32_t>(0), a.stream);
  }};
}

PreparedKernel prepare_dropout(const NodeView& v) {
  return {[r = random_of(v), n = v.output(0).size(), rate = v.attributes().real("rate")](const KernelArgs& a) {
    dropout(source_of(a, r), rate, a.in<float>(0), a.out<float>(0), n, a.stream);
  }};
}

std::optional<std::string> declines_block_program(const NodeView& v) {
  if (leading_product(program_of(v.node()))) return "starts with a product";
  return translation_declines(program_of(v.node()));
}

PreparedKernel prepare_block_program(const NodeView& v) {
  Translation program = translate(program_of(v.node()), kBlockProgramThreads);
  const size_t bytes = program.workspace_bytes;
  return {[program = std::move(program)](const KernelArgs& a) {
            const auto addresses = program.addresses(a.inputs, a.outputs, a.workspace);
            for (const BlockProgram& launch : program.launches) run_block_program(launch, addresses, a.stream);
          },
          bytes};
}

std::optional<std::string> declines_matmul_program(const NodeView& v) {
  const Graph& program = program_of(v.node());
  if (!leading_product(program)) return "starts with no product";
  if (auto reason = translation_declines(program)) return reason;
  if (translate(program, kMatmulProgramThreads).launches.size() > 1) return "too long for one launch";
  return std::nullopt;
}

PreparedKernel prepare_matmul_program(const NodeView& v) {
  const Graph& graph = program_of(v.node());
  const Node& product = *leading_product(graph);
  Translation program = translate(graph, kMatmulProgramThreads);
  const size_t bytes = program.workspace_bytes;
  const Shape& a = graph.type(product.inputs[0]).shape;
  return {[program = std::move(program), operands = product.inputs, m = a[0], k = a[1]](const KernelArgs& args) {
            const auto addresses = program.addresses(args.inputs, args.outputs, args.workspace);
            const auto operand = [&](size_t i) { return args.in<float>(static_cast<size_t>(operands[i])); };
            const VectorProduct y{.a = operand(0),
                                  .b = operand(1),
                                  .bias = operands.size() == 3 ? operand(2) : nullptr,
                                  .y = static_cast<float*>(addresses[program.product]),
                                  .m = m,
                                  .k = k};
            matmul_program(y, program.launches[0], addresses, args.counters, args.stream);
          },
          bytes, 1};
}

/// dw = x^T dy, dx = dy w^T of inputs x, w, dy.
std::optional<std::string> declines_vector_grads(const NodeView& v) {
  if (auto reason = needs_f32(v)) return reason;
  const Graph& program = program_of(v.node());
  constexpr const char* kReason = "not the two gradients of a matrix times a vector";
  if (v.num_inputs() != 3 || v.num_outputs() != 2 || program.nodes().size() != 5) return kReason;
  const Node &dw = program.node(3), &dx = program.node(4);
  const bool fits = is_transposed_vector_product(program, dw) && is_outer_product(program, dx) &&
                    dw.inputs == std::vector<ValueId>{0, 2} && dx.inputs == std::vector<ValueId>{2, 1} &&
                    program.outputs()[0].second == dw.outputs[0] && program.outputs()[1].second == dx.outputs[0] &&
                    v.output(1).shape == v.input(0).shape;
  if (!fits) return kReason;
  return std::nullopt;
}

PreparedKernel prepare_vector_grads(const NodeView& v) {
  return {[m = v.input(0).shape[0], k = v.input(0).shape[1]](const KernelArgs& a) {
    vector_product_grads(m, k, a.in<float>(0), a.in<float>(1), a.in<float>(2), a.out<float>(1), a.out<float>(0), a.stream);
  }};
}

}  // namespace

std::vector<Kernel> training_kernels() {
  return {
      {"adam", "adam_cuda", needs_f32, prepare_adam},
      {"batch_norm_apply", "batch_norm_apply_cuda", needs_f32, prepare_batch_norm_apply},
      {"block_program", "block_program_cuda", declines_block_program, prepare_block_program},
      {"block_program", "matmul_program_cuda", declines_matmul_program, prepare_matmul_program},
      {"block_program", "vector_grads_cuda", declines_vector_grads, prepare_vector_grads},
      {"batch_norm_grad", "batch_norm_grad_cuda", needs_f32, prepare_batch_norm_grad},
      {"batch_norm_inference", "batch_norm_inference_cuda", needs_f32, prepare_batch_norm_inference},
      {"batch_norm_training", "batch_norm_training_cuda", needs_f32, prepare_batch_norm_training},
      {"bce_with_logits", "bce_with_logits_cuda", needs_f32, prepare_bce_with_logits},
      {"dropout", "dropout_cuda", needs_f32, prepare_dropout},
      {"increment", "increment_cuda", always, prepare_increment},
      {"random_indices", "random_indices_cuda", always, prepare_random_indices},
      {"random_normal", "random_normal_cuda", needs_f32, prepare_random_normal},
      {"random_uniform", "random_uniform_cuda", needs_f32, prepare_random_uniform},
      {"rmsprop", "rmsprop_cuda", needs_f32, prepare_rmsprop},
      {"sgd_momentum", "sgd_momentum_cuda", needs_f32, prepare_sgd_momentum},
      {"softmax", "softmax_cuda", needs_f32, prepare_softmax},
      {"softmax_cross_entropy", "softmax_cross_entropy_cuda", needs_f32, prepare_softmax_cross_entropy},
  };
}

}  // namespace forger::FORGER_DEVICE
