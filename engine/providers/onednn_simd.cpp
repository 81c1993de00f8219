// The vectorised kernels of the onednn provider: everything but convolution and matrix products.
#include <cstring>

#include "engine/ops/op_spec.h"
#include "engine/providers/adapters.h"
#include "engine/providers/onednn_tables.h"
#include "engine/providers/program_adapter.h"
#include "kernels/simd/batch_norm.h"
#include "kernels/simd/elementwise.h"
#include "kernels/simd/gather.h"
#include "kernels/simd/loss.h"
#include "kernels/simd/max_pool.h"
#include "kernels/simd/optimizers.h"
#include "kernels/simd/random.h"
#include "kernels/simd/reduce.h"

namespace forger {
namespace {

std::optional<std::string> declines_elementwise(const NodeView& v) {
  if (auto reason = needs_f32(v)) return reason;
  if (tape_of(v).num_inputs > kMaxTapeOperands || !simd::supports_tape(tape_of(v))) return "the tape is too long";
  return std::nullopt;
}

PreparedKernel elementwise(const NodeView& v) {
  return {[tape = tape_of(v), periods = periods_of(v), n = v.output(0).size()](const KernelArgs& a) {
    ElementwiseInput<float> inputs[kMaxTapeOperands];
    for (size_t i = 0; i < periods.size(); ++i) inputs[i] = {a.in<float>(i), periods[i]};
    simd::elementwise(tape, {inputs, periods.size()}, a.out<float>(0), n, best_isa(), tape_random(tape, a));
  }};
}

constexpr auto kRunTape = [](const auto& tape, const auto& inputs, float* out, int64_t n, const KernelArgs& a) {
  simd::elementwise(tape, inputs, out, n, best_isa(), tape_random(tape, a));
};

PreparedKernel bias_add(const NodeView& v) {
  return {[tape = ElementwiseTape{2, {{ScalarOp::add, 0, 1, 0.0}}}, n = v.output(0).size(),
           c = v.input(1).size()](const KernelArgs& a) {
    const ElementwiseInput<float> inputs[] = {{a.in<float>(0), n}, {a.in<float>(1), c}};
    simd::elementwise(tape, inputs, a.out<float>(0), n);
  }};
}

/// Sums over all axes, over all but the last few, or over the last few are one matrix reduction.
struct MatrixReduction {
  enum class Kind { all, rows, columns, other } kind;
  int64_t rows, columns;
};

MatrixReduction matrix_reduction(const NodeView& v) {
  const Shape& shape = v.input(0).shape;
  const auto& axes = v.attributes().list("axes");
  const int64_t total = num_elements(shape), kept = v.output(0).size();
  if (axes.size() == shape.size()) return {MatrixReduction::Kind::all, 1, total};
  const auto reduced = static_cast<int64_t>(axes.size());
  if (axes.front() == 0 && axes.back() == reduced - 1) return {MatrixReduction::Kind::rows, total / kept, kept};
  if (axes.back() + 1 == static_cast<int64_t>(shape.size()) && axes.back() - axes.front() == reduced - 1) {
    return {MatrixReduction::Kind::columns, kept, total / kept};
  }
  return {MatrixReduction::Kind::other, 0, 0};
}

std::optional<std::string> declines_reduce_sum(const NodeView& v) {
  if (auto reason = needs_f32(v)) return reason;
  if (matrix_reduction(v).kind == MatrixReduction::Kind::other) return "the reduced axes are neither the first nor the last";
  return std::nullopt;
}

PreparedKernel reduce_sum(const NodeView& v) {
  const MatrixReduction r = matrix_reduction(v);
  return {[r](const KernelArgs& a) {
    switch (r.kind) {
      case MatrixReduction::Kind::all:
        return simd::sum_all(a.in<float>(0), r.columns, 1.f, a.out<float>(0));
      case MatrixReduction::Kind::rows:
        return simd::sum_rows(a.in<float>(0), r.rows, r.columns, a.out<float>(0));
      default:
        return simd::sum_cols(a.in<float>(0), r.rows, r.columns, a.out<float>(0));
    }
  }};
}

PreparedKernel batch_norm_training(const NodeView& v) {
  const Rows s = rows_of(v.input(0));
  const auto eps = static_cast<float>(v.attributes().real("epsilon")),
             momentum = static_cast<float>(v.attributes().real("momentum"));
  return then_epilogue<float>(v, PreparedKernel{[=](const KernelArgs& a) {
                                simd::batch_norm_training({.M = s.rows,
                                                           .C = s.channels,
                                                           .x = a.in<float>(0),
                                                           .gamma = a.in<float>(1),
                                                           .beta = a.in<float>(2),
                                                           .running_mean = a.in<float>(3),
                                                           .running_var = a.in<float>(4),
                                                           .eps = eps,
                                                           .momentum = momentum,
                                                           .y = a.out<float>(0),
                                                           .mean = a.out<float>(1),
                                                           .inv_std = a.out<float>(2),
                                                           .new_running_mean = a.out<float>(3),
                                                           .new_running_var = a.out<float>(4)});
                              }},
                              kRunTape);
}

PreparedKernel batch_norm_apply(const NodeView& v) {
  return then_epilogue<float>(v, PreparedKernel{[s = rows_of(v.input(0))](const KernelArgs& a) {
                                simd::batch_norm_apply({.M = s.rows,
                                                        .C = s.channels,
                                                        .x = a.in<float>(0),
                                                        .mean = a.in<float>(1),
                                                        .inv_std = a.in<float>(2),
                                                        .gamma = a.in<float>(3),
                                                        .beta = a.in<float>(4),
                                                        .y = a.out<float>(0)});
                              }},
                              kRunTape);
}

PreparedKernel batch_norm_inference(const NodeView& v) {
  const Rows s = rows_of(v.input(0));
  const auto eps = static_cast<float>(v.attributes().real("epsilon"));
  return {[=](const KernelArgs& a) {
    simd::batch_norm_inference({.M = s.rows,
                                .C = s.channels,
                                .x = a.in<float>(0),
                                .gamma = a.in<float>(1),
                                .beta = a.in<float>(2),
                                .mean = a.in<float>(3),
                                .var = a.in<float>(4),
                                .eps = eps,
                                .y = a.out<float>(0)});
  }};
}

PreparedKernel batch_norm_grad(const NodeView& v) {
  const Rows s = rows_of(v.input(0));
  return after_prologue<float>(v, PreparedKernel{[=](const KernelArgs& a) {
                                 simd::batch_norm_backward({.M = s.rows,
                                                            .C = s.channels,
                                                            .x = a.in<float>(0),
                                                            .dy = a.in<float>(1),
                                                            .gamma = a.in<float>(2),
                                                            .mean = a.in<float>(3),
                                                            .inv_std = a.in<float>(4),
                                                            .dx = a.out<float>(0),
                                                            .dgamma = a.out<float>(1),
                                                            .dbeta = a.out<float>(2)});
                               }},
                               kRunTape);
}

PreparedKernel random_uniform(const NodeView& v) {
  const auto low = static_cast<float>(v.attributes().real("low")), high = static_cast<float>(v.attributes().real("high"));
  return {[=, r = random_of(v), n = v.output(0).size()](const KernelArgs& a) {
    const auto key = r.key(a);
    simd::random_uniform(a.out<float>(0), n, low, high, key.seed, key.stream, key.step);
  }};
}

PreparedKernel random_normal(const NodeView& v) {
  const auto mean = static_cast<float>(v.attributes().real("mean")), stddev = static_cast<float>(v.attributes().real("stddev"));
  return {[=, r = random_of(v), n = v.output(0).size()](const KernelArgs& a) {
    const auto key = r.key(a);
    simd::random_normal(a.out<float>(0), n, mean, stddev, key.seed, key.stream, key.step);
  }};
}

PreparedKernel dropout(const NodeView& v) {
  return {
      [r = random_of(v), n = v.output(0).size(), rate = static_cast<float>(v.attributes().real("rate"))](const KernelArgs& a) {
        const auto key = r.key(a);
        simd::dropout(a.in<float>(0), a.out<float>(0), n, rate, key.seed, key.stream, key.step);
      }};
}

PreparedKernel gather(const NodeView& v) {
  const int64_t count = v.output(0).shape[0], row = v.output(0).size() / count, rows = v.input(0).shape[0];
  const bool bytes = v.input(0).dtype == DType::u8;
  // Labels (i32) are rows of four-byte elements that are only copied, as floats are.
  return {[=](const KernelArgs& a) {
    if (bytes) return simd::gather_u8(a.in<uint8_t>(0), rows, a.in<int32_t>(1), count, row, a.out<float>(0));
    simd::gather_f32(a.in<float>(0), rows, a.in<int32_t>(1), count, row, a.out<float>(0));
  }};
}

PreparedKernel max_pool_pick(const NodeView& v) {
  return {
      [s = pool_shape_of(v)](const KernelArgs& a) { simd::max_pool_pick(s, a.in<float>(0), a.in<float>(1), a.out<float>(0)); }};
}

PreparedKernel max_pool_scatter(const NodeView& v) {
  return {[s = pool_shape_of(v)](const KernelArgs& a) {
    simd::max_pool_scatter(s, a.in<float>(0), a.in<float>(1), a.out<float>(0));
  }};
}

/// Concatenation along the first axis is one copy after another.
std::optional<std::string> declines_concat(const NodeView& v) {
  if (v.attributes().integer("axis") != 0) return "the axis is not the first";
  return std::nullopt;
}

PreparedKernel concat(const NodeView& v) {
  std::vector<size_t> bytes;
  for (size_t i = 0; i < v.num_inputs(); ++i) bytes.push_back(v.input(i).bytes());
  return {[bytes](const KernelArgs& a) {
    auto* to = a.out<std::byte>(0);
    for (size_t i = 0; i < bytes.size(); ++i) {
      std::memcpy(to, a.inputs[i], bytes[i]);
      to += bytes[i];
    }
  }};
}

PreparedKernel bce_with_logits(const NodeView& v) {
  return {[n = v.input(0).size()](const KernelArgs& a) {
    simd::bce_with_logits(a.in<float>(0), a.in<float>(1), n, a.out<float>(0), a.out<float>(1));
  }};
}

PreparedKernel adam(const NodeView& v) {
  const Attributes& at = v.attributes();
  const double b1 = at.real("beta1"), b2 = at.real("beta2");
  const float e = static_cast<float>(at.real("epsilon"));
  return {[=, sizes = group_sizes(v, 2, 4), tensors = std::vector<simd::AdamTensor>()](const KernelArgs& a) mutable {
    tensors.clear();
    for (size_t i = 0; i < sizes.size(); ++i) {
      const size_t in = 2 + 4 * i, out = 3 * i;
      tensors.push_back({.n = sizes[i],
                         .p = a.in<float>(in),
                         .m = a.in<float>(in + 2),
                         .v = a.in<float>(in + 3),
                         .g = a.in<float>(in + 1),
                         .p_out = a.out<float>(out),
                         .m_out = a.out<float>(out + 1),
                         .v_out = a.out<float>(out + 2)});
    }
    simd::adam(tensors, {.lr = *a.in<float>(1), .beta1 = b1, .beta2 = b2, .eps = e}, *a.in<int64_t>(0));
  }};
}

PreparedKernel sgd_momentum(const NodeView& v) {
  const auto momentum = static_cast<float>(v.attributes().real("momentum"));
  return {[=, sizes = group_sizes(v, 1, 3), tensors = std::vector<simd::SgdTensor>()](const KernelArgs& a) mutable {
    tensors.clear();
    for (size_t i = 0; i < sizes.size(); ++i) {
      const size_t in = 1 + 3 * i, out = 2 * i;
      tensors.push_back({.n = sizes[i],
                         .p = a.in<float>(in),
                         .v = a.in<float>(in + 2),
                         .g = a.in<float>(in + 1),
                         .p_out = a.out<float>(out),
                         .v_out = a.out<float>(out + 1)});
    }
    simd::sgd(tensors, *a.in<float>(0), momentum);
  }};
}

PreparedKernel rmsprop(const NodeView& v) {
  const double rho = v.attributes().real("rho");
  const auto eps = static_cast<float>(v.attributes().real("epsilon"));
  return {[=, sizes = group_sizes(v, 1, 3), tensors = std::vector<simd::RmspropTensor>()](const KernelArgs& a) mutable {
    tensors.clear();
    for (size_t i = 0; i < sizes.size(); ++i) {
      const size_t in = 1 + 3 * i, out = 2 * i;
      tensors.push_back({.n = sizes[i],
                         .p = a.in<float>(in),
                         .r = a.in<float>(in + 2),
                         .g = a.in<float>(in + 1),
                         .p_out = a.out<float>(out),
                         .r_out = a.out<float>(out + 1)});
    }
    simd::rmsprop(tensors, *a.in<float>(0), rho, eps);
  }};
}

/// Small nodes one by one, each with the best kernel that it has on a CPU.
PreparedKernel block_program(const NodeView& v) {
  const Provider* const providers[] = {&onednn_provider(), &reference_provider()};
  return prepare_one_by_one(v, providers);
}

}  // namespace

std::vector<Kernel> simd_kernels() {
  std::vector<Kernel> table = {
      {"adam", "adam_simd", needs_f32, adam},
      {"batch_norm_apply", "batch_norm_apply_simd", needs_f32, batch_norm_apply},
      {"batch_norm_grad", "batch_norm_grad_simd", needs_f32, batch_norm_grad},
      {"batch_norm_inference", "batch_norm_inference_simd", needs_f32, batch_norm_inference},
      {"batch_norm_training", "batch_norm_training_simd", needs_f32, batch_norm_training},
      {"bce_with_logits", "bce_with_logits_simd", needs_f32, bce_with_logits},
      {"bias_add", "bias_add_simd", needs_f32, bias_add},
      {"block_program", "block_program_simd", needs_f32, block_program},
      {"concat", "concat_copy", declines_concat, concat},
      {"dropout", "dropout_simd", needs_f32, dropout},
      {"fused_elementwise", "fused_elementwise_simd", declines_elementwise, elementwise},
      {"gather", "gather_simd", needs_f32, gather},
      {"max_pool_pick", "max_pool_pick_simd", needs_f32, max_pool_pick},
      {"max_pool_scatter", "max_pool_scatter_simd", needs_f32, max_pool_scatter},
      {"random_normal", "random_normal_simd", needs_f32, random_normal},
      {"random_uniform", "random_uniform_simd", needs_f32, random_uniform},
      {"reduce_sum", "reduce_sum_simd", declines_reduce_sum, reduce_sum},
      {"rmsprop", "rmsprop_simd", needs_f32, rmsprop},
      {"sgd_momentum", "sgd_momentum_simd", needs_f32, sgd_momentum},
  };
  for (int i = 0; i < kNumScalarOps; ++i) {
    table.push_back({name_of(static_cast<ScalarOp>(i)), "elementwise_simd", declines_elementwise, elementwise});
  }
  return table;
}

}  // namespace forger
