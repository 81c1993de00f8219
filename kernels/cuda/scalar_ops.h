// The scalar operations of kernels/common/elementwise.h on the device. As in kernels/reference/elementwise.h, a NaN
// operand gives NaN, except where a comparison makes a constant of it (heaviside, leaky_slope).
#pragma once

#include "kernels/common/elementwise.h"
#include "kernels/cuda/quads.h"

namespace forger::FORGER_DEVICE {

/// 1 / (1 + exp(-a)): the exponential never overflows.
__device__ __forceinline__ float sigmoid(float a) {
  const float e = expf(-fabsf(a));
  const float r = 1.f / (1.f + e);
  return a >= 0.f ? r : e * r;
}
/// log(1 + exp(a)).
__device__ __forceinline__ float softplus(float a) {
  return (a < 0.f ? 0.f : a) + log1pf(expf(-fabsf(a)));
}

template <ScalarOp kOp>
__device__ __forceinline__ float scalar_op(float a, float b, float p) {
  switch (kOp) {
    case ScalarOp::add:
      return a + b;
    case ScalarOp::sub:
      return a - b;
    case ScalarOp::mul:
      return a * b;
    case ScalarOp::div:
      return a / b;
    case ScalarOp::maximum:
      return a != a || a > b ? a : b;
    case ScalarOp::minimum:
      return a != a || a < b ? a : b;
    case ScalarOp::neg:
      return -a;
    case ScalarOp::exp:
      return expf(a);
    case ScalarOp::log:
      return logf(a);
    case ScalarOp::sqrt:
      return sqrtf(a);
    case ScalarOp::rsqrt:
      return rsqrtf(a);
    case ScalarOp::square:
      return a * a;
    case ScalarOp::abs:
      return fabsf(a);
    case ScalarOp::sign:
      return a > 0.f ? 1.f : a < 0.f ? -1.f : a;
    case ScalarOp::reciprocal:
      return 1.f / a;
    case ScalarOp::relu:
      return a < 0.f ? 0.f : a;
    case ScalarOp::leaky_relu:
      return a < 0.f ? p * a : a;
    case ScalarOp::tanh:
      return tanhf(a);
    case ScalarOp::sigmoid:
      return sigmoid(a);
    case ScalarOp::softplus:
      return softplus(a);
    case ScalarOp::heaviside:
      return a > 0.f ? 1.f : 0.f;
    case ScalarOp::leaky_slope:
      return a > 0.f ? 1.f : p;
    case ScalarOp::scale:
      return p * a;
    case ScalarOp::shift:
      return a + p;
    case ScalarOp::dropout:
      break;  // depends on the element: dropout.h
  }
  return 0.f;
}

template <ScalarOp kOp>
__device__ __forceinline__ float4 quad_op(float4 a, float4 b, float p) {
  return map_quad(a, b, [p](float x, float y) { return scalar_op<kOp>(x, y, p); });
}

/// The same for an operation that is known at run time only. All threads of a warp must ask for the same one.
__device__ __forceinline__ float4 quad_op(ScalarOp op, float4 a, float4 b, float p) {
  switch (op) {
    case ScalarOp::add:
      return quad_op<ScalarOp::add>(a, b, p);
    case ScalarOp::sub:
      return quad_op<ScalarOp::sub>(a, b, p);
    case ScalarOp::mul:
      return quad_op<ScalarOp::mul>(a, b, p);
    case ScalarOp::div:
      return quad_op<ScalarOp::div>(a, b, p);
    case ScalarOp::maximum:
      return quad_op<ScalarOp::maximum>(a, b, p);
    case ScalarOp::minimum:
      return quad_op<ScalarOp::minimum>(a, b, p);
    case ScalarOp::neg:
      return quad_op<ScalarOp::neg>(a, b, p);
    case ScalarOp::exp:
      return quad_op<ScalarOp::exp>(a, b, p);
    case ScalarOp::log:
      return quad_op<ScalarOp::log>(a, b, p);
    case ScalarOp::sqrt:
      return quad_op<ScalarOp::sqrt>(a, b, p);
    case ScalarOp::rsqrt:
      return quad_op<ScalarOp::rsqrt>(a, b, p);
    case ScalarOp::square:
      return quad_op<ScalarOp::square>(a, b, p);
    case ScalarOp::abs:
      return quad_op<ScalarOp::abs>(a, b, p);
    case ScalarOp::sign:
      return quad_op<ScalarOp::sign>(a, b, p);
    case ScalarOp::reciprocal:
      return quad_op<ScalarOp::reciprocal>(a, b, p);
    case ScalarOp::relu:
      return quad_op<ScalarOp::relu>(a, b, p);
    case ScalarOp::leaky_relu:
      return quad_op<ScalarOp::leaky_relu>(a, b, p);
    case ScalarOp::tanh:
      return quad_op<ScalarOp::tanh>(a, b, p);
    case ScalarOp::sigmoid:
      return quad_op<ScalarOp::sigmoid>(a, b, p);
    case ScalarOp::softplus:
      return quad_op<ScalarOp::softplus>(a, b, p);
    case ScalarOp::heaviside:
      return quad_op<ScalarOp::heaviside>(a, b, p);
    case ScalarOp::leaky_slope:
      return quad_op<ScalarOp::leaky_slope>(a, b, p);
    case ScalarOp::scale:
      return quad_op<ScalarOp::scale>(a, b, p);
    case ScalarOp::shift:
      return quad_op<ScalarOp::shift>(a, b, p);
    case ScalarOp::dropout:
      break;
  }
  return a;
}

}  // namespace forger::FORGER_DEVICE
