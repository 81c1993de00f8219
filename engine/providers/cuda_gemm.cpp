// Convolutions and matrix products of the CUDA provider.
#include "engine/providers/cuda_gemm.h"

#include "engine/ops/ops.h"
#include "engine/providers/cuda_statistics.h"
#include "kernels/cuda/conv2d.h"
#include "kernels/cuda/conv2d_few_channels.h"
#include "kernels/cuda/matmul.h"
#include "kernels/cuda/matmul_narrow.h"

namespace forger::FORGER_DEVICE {
namespace {

/// Offsets are 32-bit numbers of elements.
std::optional<std::string> needs_small_tensors(const NodeView& v) {
  for (size_t i = 0; i <= v.num_inputs(); ++i) {
    const TensorType& type = i < v.num_inputs() ? v.input(i) : v.output(0);
    if (type.size() > kMaxGemmElements)
      return fmt::format("a tensor has {} elements, at most {} are possible", type.size(), kMaxGemmElements);
  }
  return std::nullopt;
}

std::optional<std::string> gemm_declines(const NodeView& v) {
  if (auto reason = needs_f32(v)) return reason;
  return needs_small_tensors(v);
}

/// A kernel that declines sizes with a reason in a static string.
template <const char* (*Declines)(const Conv2dShape&)>
std::optional<std::string> direct_declines(const NodeView& v) {
  if (auto reason = gemm_declines(v)) return reason;
  const char* reason = Declines(conv2d_shape(v.attributes()));
  return reason ? std::optional<std::string>(reason) : std::nullopt;
}

/// Where a direct kernel computes one row or column, a tile of the matrix product computes 64, of padding.
template <const char* (*DirectDeclines)(const Conv2dShape&)>
std::optional<std::string> wide_declines(const NodeView& v) {
  if (auto reason = gemm_declines(v)) return reason;
  if (!DirectDeclines(conv2d_shape(v.attributes()))) return "so few channels are a direct kernel's";
  return std::nullopt;
}

const float* bias_of(const KernelArgs& a, bool bias) {
  return bias ? a.in<float>(2) : nullptr;
}

/// What a plan is for.
struct Product {
  GemmSize size;
  bool vectors;
  bool one_launch = false;  // with statistics there is no place for a second one
};

Product conv2d_product(const NodeView& v) {
  const Conv2dShape s = conv2d_shape(v.attributes());
  return {conv2d_size(s), conv2d_vectors(s), statistics_of(v).has_value()};
}
Product input_grad_product(const NodeView& v) {
  const Conv2dShape s = conv2d_shape(v.attributes());
  return {conv2d_input_grad_size(s), conv2d_input_grad_vectors(s)};
}
Product filter_grad_product(const NodeView& v) {
  const Conv2dShape s = conv2d_shape(v.attributes());
  return {conv2d_filter_grad_size(s), conv2d_filter_grad_vectors(s)};
}
MatmulShape matmul_shape(const NodeView& v) {
  const MatmulSize z = forger::matmul_size(v);
  return {z.m, z.n, z.k, z.transpose_a, z.transpose_b};
}
Product matmul_product(const NodeView& v) {
  const MatmulShape s = matmul_shape(v);
  return {matmul_size(s), matmul_vectors(s)};
}

/// The plan that was timed for the node, or the best by estimate.
GemmPlan plan_for(const NodeView& v, const Product& p, Arithmetic arithmetic) {
  const Multiprocessors& gpu = v.target().multiprocessors;
  const auto timed = timed_plan<GemmPlan>(v, [&](const auto& f) {
    for_each_plan(p.size, arithmetic, p.vectors, p.one_launch, gpu,
                  [&](const GemmPlan& plan) { for_depths(p.size, arithmetic, plan, gpu, f); });
  });
  return timed ? *timed : plan_gemm(p.size, arithmetic, p.vectors, gpu, p.one_launch);
}

template <Product (*kOf)(const NodeView&), Arithmetic kArithmetic>
std::vector<std::string> plans_of(const NodeView& v) {
  const Product p = kOf(v);
  std::vector<std::string> all;
  for (const GemmPlan& plan : plan_candidates(p.size, kArithmetic, p.vectors, v.target().multiprocessors, p.one_launch)) {
    all.push_back(to_text(plan));
  }
  return all;
}

template <Arithmetic kArithmetic>
PreparedKernel prepare_conv2d(const NodeView& v) {
  const Conv2dShape s = conv2d_shape(v.attributes());
  const GemmSize size = conv2d_size(s);
  const auto statistics = statistics_of(v);
  const GemmPlan plan = plan_for(v, conv2d_product(v), kArithmetic);
  const auto run = [=, bias = has_bias(v), epilogues = Epilogues(v)](const KernelArgs& a, const BatchNormStatistics* to) {
    epilogues.pass(a, [&](const EpilogueArgs& epilogue) {
      conv2d(s, kArithmetic, plan, a.in<float>(0), a.in<float>(1), bias_of(a, bias), a.out<float>(0), scratch_of(a), a.stream,
             epilogue, {.statistics = to});
    });
  };
  if (!statistics) {
    return {[run](const KernelArgs& a) { run(a, nullptr); }, workspace_bytes(plan, size), counters_of(plan, size, kArithmetic), 0,
            in_words(plan, kArithmetic)};
  }
  const ColumnNeeds needs = conv2d_needs(s, kArithmetic, plan, ColumnWork::statistics);
  return {[run, statistics](const KernelArgs& a) {
            const BatchNormStatistics to = statistics_args(*statistics, a);
            run(a, &to);
          },
          needs.workspace_bytes, needs.counters, 0, in_words(plan, kArithmetic)};
}

template <Arithmetic kArithmetic>
PreparedKernel prepare_input_grad(const NodeView& v) {
  const Conv2dShape s = conv2d_shape(v.attributes());
  const GemmSize size = conv2d_input_grad_size(s);
  const GemmPlan plan = plan_for(v, input_grad_product(v), kArithmetic);
  return {[s, plan, bias = has_bias(v), epilogues = Epilogues(v)](const KernelArgs& a) {
            epilogues.pass(a, [&](const EpilogueArgs& epilogue) {
              conv2d_input_grad(s, kArithmetic, plan, a.in<float>(0), a.in<float>(1), bias_of(a, bias), a.out<float>(0),
                                scratch_of(a), a.stream, epilogue);
            });
          },
          workspace_bytes(plan, size), counters_of(plan, size, kArithmetic), 0, in_words(plan, kArithmetic)};
}

template <Arithmetic kArithmetic>
PreparedKernel prepare_filter_grad(const NodeView& v) {
  const Conv2dShape s = conv2d_shape(v.attributes());
  const GemmSize size = conv2d_filter_grad_size(s);
  const GemmPlan plan = plan_for(v, filter_grad_product(v), kArithmetic);
  return {[s, plan](const KernelArgs& a) {
            conv2d_filter_grad(s, kArithmetic, plan, a.in<float>(0), a.in<float>(1), a.out<float>(0), scratch_of(a), a.stream);
          },
          workspace_bytes(plan, size), counters_of(plan, size, kArithmetic), 0, in_words(plan, kArithmetic)};
}

template <Arithmetic kArithmetic>
PreparedKernel prepare_matmul(const NodeView& v) {
  const MatmulShape s = matmul_shape(v);
  const GemmSize size = matmul_size(s);
  const GemmPlan plan = plan_for(v, matmul_product(v), kArithmetic);
  return {[s, plan, bias = has_bias(v), epilogues = Epilogues(v)](const KernelArgs& a) {
            epilogues.pass(a, [&](const EpilogueArgs& epilogue) {
              matmul(s, kArithmetic, plan, a.in<float>(0), a.in<float>(1), bias_of(a, bias), a.out<float>(0), scratch_of(a),
                     a.stream, epilogue);
            });
          },
          workspace_bytes(plan, size), counters_of(plan, size, kArithmetic), 0, in_words(plan, kArithmetic)};
}

/// The direct convolutions with an optional bias.
using DirectLauncher = void (*)(const Conv2dShape&, const float*, const float*, const float*, float*, Stream,
                                const EpilogueArgs&);

template <DirectLauncher kLauncher>
PreparedKernel prepare_direct(const NodeView& v) {
  return {[s = conv2d_shape(v.attributes()), bias = has_bias(v), epilogues = Epilogues(v)](const KernelArgs& a) {
    epilogues.pass(a, [&](const EpilogueArgs& epilogue) {
      kLauncher(s, a.in<float>(0), a.in<float>(1), bias_of(a, bias), a.out<float>(0), a.stream, epilogue);
    });
  }};
}

PreparedKernel prepare_few_filter_grad(const NodeView& v) {
  const Conv2dShape s = conv2d_shape(v.attributes());
  const int splits = few_filter_grad_splits(s, v.target().multiprocessors.count);
  return {[s, splits](const KernelArgs& a) {
            conv2d_few_filter_grad(s, splits, a.in<float>(0), a.in<float>(1), a.out<float>(0), nullptr,
                                   static_cast<float*>(a.workspace), a.counters, a.stream);
          },
          few_filter_grad_workspace_bytes(s, splits), few_filter_grad_counters(s, splits)};
}

std::optional<std::string> narrow_declines(const NodeView& v) {
  if (auto reason = gemm_declines(v)) return reason;
  const char* reason = matmul_narrow_declines(matmul_shape(v));
  return reason ? std::optional<std::string>(reason) : std::nullopt;
}

PreparedKernel prepare_narrow(const NodeView& v) {
  return {[s = matmul_shape(v), bias = has_bias(v), epilogues = Epilogues(v)](const KernelArgs& a) {
    epilogues.pass(a, [&](const EpilogueArgs& epilogue) {
      matmul_narrow(s, a.in<float>(0), a.in<float>(1), bias_of(a, bias), a.out<float>(0), a.stream, epilogue);
    });
  }};
}

}  // namespace

std::vector<Kernel> gemm_kernels() {
  using enum Arithmetic;
  constexpr auto conv2d_declines = wide_declines<few_outputs_declines>,
                 filter_grad_declines = wide_declines<few_filter_grad_declines>;
  constexpr auto fp32 = Precision::fp32;
  return {
      // Kernels for few channels are exact fp32 and, for their sizes, faster than tensor cores fed with padding.
      {"conv2d", "conv2d_few_outputs", direct_declines<few_outputs_declines>,
       with_statistics<prepare_direct<conv2d_few_outputs>, prepare_statistics>},
      {"conv2d", "conv2d_few_inputs", direct_declines<few_inputs_declines>,
       with_statistics<prepare_direct<conv2d_few_inputs>, prepare_statistics>},
      {"conv2d", "conv2d_implicit_gemm_ffma", conv2d_declines, prepare_conv2d<ffma>, {}, fp32, plans_of<conv2d_product, ffma>},
      {"conv2d",
       "conv2d_implicit_gemm_3xtf32",
       conv2d_declines,
       prepare_conv2d<tf32x3>,
       {},
       fp32,
       plans_of<conv2d_product, tf32x3>},
      {"conv2d", "conv2d_implicit_gemm_tf32", conv2d_declines, prepare_conv2d<tf32>, kTf32, Precision::tf32,
       plans_of<conv2d_product, tf32>},
      {"conv2d", "conv2d_implicit_gemm_bf16", conv2d_declines, prepare_conv2d<bf16>, kBf16, Precision::bf16,
       plans_of<conv2d_product, bf16>},
      {"conv2d_filter_grad", "conv2d_filter_grad_few_channels", direct_declines<few_filter_grad_declines>,
       prepare_few_filter_grad},
      {"conv2d_filter_grad",
       "conv2d_filter_grad_implicit_gemm_ffma",
       filter_grad_declines,
       prepare_filter_grad<ffma>,
       {},
       fp32,
       plans_of<filter_grad_product, ffma>},
      {"conv2d_filter_grad",
       "conv2d_filter_grad_implicit_gemm_3xtf32",
       filter_grad_declines,
       prepare_filter_grad<tf32x3>,
       {},
       fp32,
       plans_of<filter_grad_product, tf32x3>},
      {"conv2d_filter_grad", "conv2d_filter_grad_implicit_gemm_tf32", filter_grad_declines, prepare_filter_grad<tf32>, kTf32,
       Precision::tf32, plans_of<filter_grad_product, tf32>},
      {"conv2d_filter_grad", "conv2d_filter_grad_implicit_gemm_bf16", filter_grad_declines, prepare_filter_grad<bf16>, kBf16,
       Precision::bf16, plans_of<filter_grad_product, bf16>},
      {"conv2d_input_grad", "conv2d_input_grad_few_inputs", direct_declines<input_grad_few_inputs_declines>,
       prepare_direct<conv2d_input_grad_few_inputs>},
      {"conv2d_input_grad", "conv2d_input_grad_few_outputs", direct_declines<input_grad_few_outputs_declines>,
       prepare_direct<conv2d_input_grad_few_outputs>},
      {"conv2d_input_grad",
       "conv2d_input_grad_implicit_gemm_ffma",
       gemm_declines,
       prepare_input_grad<ffma>,
       {},
       fp32,
       plans_of<input_grad_product, ffma>},
      {"conv2d_input_grad",
       "conv2d_input_grad_implicit_gemm_3xtf32",
       gemm_declines,
       prepare_input_grad<tf32x3>,
       {},
       fp32,
       plans_of<input_grad_product, tf32x3>},
      {"conv2d_input_grad", "conv2d_input_grad_implicit_gemm_tf32", gemm_declines, prepare_input_grad<tf32>, kTf32,
       Precision::tf32, plans_of<input_grad_product, tf32>},
      {"conv2d_input_grad", "conv2d_input_grad_implicit_gemm_bf16", gemm_declines, prepare_input_grad<bf16>, kBf16,
       Precision::bf16, plans_of<input_grad_product, bf16>},
      {"matmul", "matmul_narrow", narrow_declines, prepare_narrow},
      {"matmul", "matmul_ffma", gemm_declines, prepare_matmul<ffma>, {}, fp32, plans_of<matmul_product, ffma>},
      {"matmul", "matmul_3xtf32", gemm_declines, prepare_matmul<tf32x3>, {}, fp32, plans_of<matmul_product, tf32x3>},
      {"matmul", "matmul_tf32", gemm_declines, prepare_matmul<tf32>, kTf32, Precision::tf32, plans_of<matmul_product, tf32>},
      {"matmul", "matmul_bf16", gemm_declines, prepare_matmul<bf16>, kBf16, Precision::bf16, plans_of<matmul_product, bf16>},
  };
}

}  // namespace forger::FORGER_DEVICE
