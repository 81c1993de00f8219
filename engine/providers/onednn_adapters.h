// What adapts convolutions and matrix products of the onednn provider to nodes, whichever library computes them.
#pragma once

#include <memory>

#include "engine/ops/ops.h"
#include "engine/providers/adapters.h"
#include "kernels/simd/batch_norm.h"
#include "kernels/simd/elementwise.h"

namespace forger {

/// A kernel declines what is not f32, then what its own supports() declines.
template <std::optional<std::string> (*Supports)(const Conv2dShape&)>
std::optional<std::string> declines(const NodeView& v) {
  if (auto reason = needs_f32(v)) return reason;
  return Supports(conv2d_shape(v.attributes()));
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

inline PreparedKernel and_epilogue(const NodeView& v, PreparedKernel kernel) {
  return then_epilogue<float>(v, std::move(kernel),
                              [](const auto& tape, const auto& inputs, float* out, int64_t n, const KernelArgs& a) {
                                simd::elementwise(tape, inputs, out, n, best_isa(), tape_random(tape, a));
                              });
}

/// For conv2d and conv2d_input_grad, whose third operand may be a bias.
template <class K>
PreparedKernel convolution(const NodeView& v) {
  const bool bias = has_bias(v);
  return and_epilogue(v, with_bias(std::make_shared<K>(conv2d_shape(v.attributes()), bias), bias));
}

template <class K>
PreparedKernel filter_grad(const NodeView& v) {
  const auto kernel = std::make_shared<K>(conv2d_shape(v.attributes()));
  return {[kernel](const KernelArgs& a) { kernel->run(a.in<float>(0), a.in<float>(1), a.out<float>(0), a.workspace); },
          kernel->workspace_bytes()};
}

inline PreparedKernel statistics(const NodeView& v) {
  return {[s = *statistics_of(v)](const KernelArgs& a) {
    simd::batch_norm_statistics({.M = s.size.rows,
                                 .C = s.size.channels,
                                 .x = a.out<float>(0),
                                 .running_mean = a.in<float>(s.running),
                                 .running_var = a.in<float>(s.running + 1),
                                 .eps = static_cast<float>(s.epsilon),
                                 .momentum = static_cast<float>(s.momentum),
                                 .mean = a.out<float>(1),
                                 .inv_std = a.out<float>(2),
                                 .new_running_mean = a.out<float>(3),
                                 .new_running_var = a.out<float>(4)});
  }};
}

template <class K>
PreparedKernel conv2d(const NodeView& v) {
  return with_statistics<convolution<K>, statistics>(v);
}

template <class K>
PreparedKernel matmul(const NodeView& v) {
  const MatmulSize s = matmul_size(v);
  const bool bias = has_bias(v);
  return and_epilogue(v, with_bias(std::make_shared<K>(s.m, s.n, s.k, s.transpose_a, s.transpose_b, bias), bias));
}

/// Winograd's transforms multiply by fractions: tests/winograd_conv_test.cpp measures what that costs.
inline constexpr Accuracy kWinograd{.factor = 4, .exact_on_integers = false};

}  // namespace forger
