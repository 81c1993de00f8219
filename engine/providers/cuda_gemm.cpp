// Convolutions and matrix products of the CUDA provider.
#include "engine/ops/ops.h"
#include "engine/providers/adapters.h"
#include "engine/providers/cuda_tables.h"
#include "kernels/cuda/conv2d.h"

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

GemmPlan plan_for(const NodeView& v, const GemmSize& size, Arithmetic arithmetic, bool vectors) {
  return plan_gemm(size, arithmetic, vectors, v.target().multiprocessors);
}

template <Arithmetic kArithmetic>
PreparedKernel prepare_conv2d(const NodeView& v) {
  const Conv2dShape s = conv2d_shape(v.attributes());
  const GemmPlan plan = plan_for(v, conv2d_size(s), kArithmetic, conv2d_vectors(s));
  return {[s, plan, bias = v.num_inputs() == 3](const KernelArgs& a) {
            conv2d(s, kArithmetic, plan, a.in<float>(0), a.in<float>(1), bias ? a.in<float>(2) : nullptr, a.out<float>(0),
                   static_cast<float*>(a.workspace), a.stream);
          },
          workspace_bytes(plan, conv2d_size(s))};
}

constexpr Accuracy kTf32{.operands = Precision::tf32}, kBf16{.operands = Precision::bf16};

}  // namespace

std::vector<Kernel> gemm_kernels() {
  return {
      {"conv2d", "conv2d_implicit_gemm_ffma", gemm_declines, prepare_conv2d<Arithmetic::ffma>, {}, Precision::fp32},
      {"conv2d", "conv2d_implicit_gemm_3xtf32", gemm_declines, prepare_conv2d<Arithmetic::tf32x3>, {}, Precision::fp32},
      {"conv2d", "conv2d_implicit_gemm_tf32", gemm_declines, prepare_conv2d<Arithmetic::tf32>, kTf32, Precision::tf32},
      {"conv2d", "conv2d_implicit_gemm_bf16", gemm_declines, prepare_conv2d<Arithmetic::bf16>, kBf16, Precision::bf16},
  };
}

}  // namespace forger::FORGER_DEVICE
