// The provider of cuDNN and cuBLASLt, f32 tensors only: the baseline for the hand-written kernels.
#include <memory>

#include "engine/ops/ops.h"
#include "engine/providers/adapters.h"
#include "engine/providers/cuda_statistics.h"
#include "engine/providers/cuda_tables.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/vendor/conv2d.h"
#include "kernels/vendor/matmul.h"

namespace forger::vendor {
namespace {

static_assert(static_cast<int>(Maths::tf32) == static_cast<int>(Precision::tf32) &&
              static_cast<int>(Maths::bf16) == static_cast<int>(Precision::bf16));

std::optional<std::string> declines_convolution(const NodeView& v) {
  if (auto reason = needs_f32(v)) return reason;
  return convolution_declines(conv2d_shape(v.attributes()));
}

std::optional<std::string> declines_matmul(const NodeView& v) {
  if (auto reason = needs_f32(v)) return reason;
  return matmul_declines();
}

/// A third input is a bias. The kernel lives as long as the prepared kernel that shares it.
template <class K>
PreparedKernel runs(std::shared_ptr<K> kernel, bool bias) {
  const size_t workspace = kernel->workspace_bytes();
  return {[kernel, bias](const KernelArgs& a) {
            kernel->run(a.in<float>(0), a.in<float>(1), bias ? a.in<float>(2) : nullptr, a.out<float>(0), a.workspace, a.stream);
          },
          workspace};
}

/// The libraries' result, then the hand-written tape over it: any epilogue, in one more launch.
PreparedKernel and_epilogue(const NodeView& v, PreparedKernel kernel) {
  return then_epilogue<float>(v, std::move(kernel),
                              [](const auto& tape, const auto& inputs, float* out, int64_t n, const KernelArgs& a) {
                                cuda::elementwise(tape, inputs, cuda::tape_source(tape, a), out, n, a.stream);
                              });
}

template <Direction direction, Maths maths>
PreparedKernel convolution(const NodeView& v) {
  const bool bias = has_bias(v);
  return and_epilogue(v, runs(std::make_shared<Convolution>(direction, conv2d_shape(v.attributes()), bias, maths), bias));
}

template <Maths maths>
PreparedKernel matmul(const NodeView& v) {
  const MatmulSize s = matmul_size(v);
  const bool bias = has_bias(v);
  return and_epilogue(
      v, runs(std::make_shared<Matmul>(MatmulSides{s.m, s.n, s.k, s.transpose_a, s.transpose_b}, bias, maths), bias));
}

/// What `forger explain` calls the rows of one precision.
struct Names {
  std::string_view conv2d, filter_grad, input_grad, matmul;
};

template <Maths maths>
void add_rows(std::vector<Kernel>& table, const Names& names, const Accuracy& accuracy) {
  constexpr auto precision = static_cast<Precision>(maths);
  const auto add = [&](std::string_view op, std::string_view name, auto declines, auto prepare) {
    table.push_back({op, name, declines, prepare, accuracy, precision});
  };
  add("conv2d", names.conv2d, declines_convolution,
      with_statistics<convolution<Direction::forward, maths>, cuda::prepare_statistics>);
  add("conv2d_filter_grad", names.filter_grad, declines_convolution, convolution<Direction::filter_grad, maths>);
  add("conv2d_input_grad", names.input_grad, declines_convolution, convolution<Direction::input_grad, maths>);
  add("matmul", names.matmul, declines_matmul, matmul<maths>);
}

}  // namespace

const Provider& provider() {
  // The libraries round operands as they like, truncation included: one unit in the last place of each of the two
  // factors, and half as much again for sums that a common sign lets grow.
  constexpr Accuracy kTf32{.of_largest = 3 * 0x1p-10}, kBf16{.of_largest = 3 * 0x1p-7};
  static const std::vector<Kernel> kernels = [&] {
    std::vector<Kernel> table;
    add_rows<Maths::fp32>(table, {"conv2d_cudnn", "conv2d_filter_grad_cudnn", "conv2d_input_grad_cudnn", "matmul_cublaslt"}, {});
    add_rows<Maths::tf32>(
        table, {"conv2d_cudnn_tf32", "conv2d_filter_grad_cudnn_tf32", "conv2d_input_grad_cudnn_tf32", "matmul_cublaslt_tf32"},
        kTf32);
    add_rows<Maths::bf16>(
        table, {"conv2d_cudnn_bf16", "conv2d_filter_grad_cudnn_bf16", "conv2d_input_grad_cudnn_bf16", "matmul_cublaslt_bf16"},
        kBf16);
    return table;
  }();
  static const Provider provider{"vendor", kernels, Provider::Place::gpu};
  return provider;
}

}  // namespace forger::vendor
