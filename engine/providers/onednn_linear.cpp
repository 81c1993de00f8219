// Convolution and matrix products of the onednn provider.
#include <memory>

#include "engine/ops/ops.h"
#include "engine/providers/adapters.h"
#include "engine/providers/onednn_tables.h"
#include "kernels/onednn/conv2d.h"
#include "kernels/onednn/matmul.h"

namespace forger {
namespace {

std::optional<std::string> needs_f32(const NodeView& v) {
  if (v.real() == DType::f32) return std::nullopt;
  return std::string("real numbers are ") + name_of(v.real()) + ", expected f32";
}

std::optional<std::string> declines_conv2d(const NodeView& v) {
  if (auto reason = needs_f32(v)) return reason;
  return onednn::supports(conv2d_shape(v.attributes()));
}

/// Kernel objects live as long as the prepared kernel that shares them.
template <class K>
PreparedKernel with_bias(std::shared_ptr<K> kernel, bool bias) {
  const size_t workspace = kernel->workspace_bytes();
  return {[kernel, bias](const KernelArgs& a) {
            kernel->run(a.in<float>(0), a.in<float>(1), bias ? a.in<float>(2) : nullptr, a.out<float>(0), a.workspace);
          },
          workspace};
}

PreparedKernel conv2d(const NodeView& v) {
  const bool bias = v.num_inputs() == 3;
  return with_bias(std::make_shared<onednn::Conv2d>(conv2d_shape(v.attributes()), bias, Activation::none, 0.f), bias);
}

PreparedKernel conv2d_input_grad(const NodeView& v) {
  const bool bias = v.num_inputs() == 3;
  return with_bias(std::make_shared<onednn::Conv2dInputGrad>(conv2d_shape(v.attributes()), bias, Activation::none, 0.f), bias);
}

PreparedKernel conv2d_filter_grad(const NodeView& v) {
  const auto kernel = std::make_shared<onednn::Conv2dFilterGrad>(conv2d_shape(v.attributes()));
  return {[kernel](const KernelArgs& a) { kernel->run(a.in<float>(0), a.in<float>(1), a.out<float>(0), a.workspace); },
          kernel->workspace_bytes()};
}

PreparedKernel matmul(const NodeView& v) {
  const MatmulSize s = matmul_size(v);
  const bool bias = v.num_inputs() == 3;
  return with_bias(std::make_shared<onednn::MatMul>(s.m, s.n, s.k, s.transpose_a, s.transpose_b, bias), bias);
}

}  // namespace

std::vector<Kernel> linear_kernels() {
  return {
      {"conv2d", "conv2d_onednn", declines_conv2d, conv2d},
      {"conv2d_filter_grad", "conv2d_filter_grad_onednn", declines_conv2d, conv2d_filter_grad},
      {"conv2d_input_grad", "conv2d_input_grad_onednn", declines_conv2d, conv2d_input_grad},
      {"matmul", "matmul_onednn", needs_f32, matmul},
  };
}

}  // namespace forger
