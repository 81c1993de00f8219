// Scalar operations and tapes of them, one element at a time.
#pragma once

#include <cmath>
#include <vector>

#include "kernels/common/elementwise.h"
#include "kernels/reference/random.h"

namespace forger::reference {

/// NaN in, NaN out: comparisons are written so that a NaN operand is chosen.
template <class T>
T apply(ScalarOp op, T a, T b, T p) {
  switch (op) {
    case ScalarOp::add:
      return a + b;
    case ScalarOp::sub:
      return a - b;
    case ScalarOp::mul:
      return a * b;
    case ScalarOp::div:
      return a / b;
    case ScalarOp::maximum:
      return std::isnan(a) || a > b ? a : b;
    case ScalarOp::minimum:
      return std::isnan(a) || a < b ? a : b;
    case ScalarOp::neg:
      return -a;
    case ScalarOp::exp:
      return std::exp(a);
    case ScalarOp::log:
      return std::log(a);
    case ScalarOp::sqrt:
      return std::sqrt(a);
    case ScalarOp::rsqrt:
      return T(1) / std::sqrt(a);
    case ScalarOp::square:
      return a * a;
    case ScalarOp::abs:
      return std::abs(a);
    case ScalarOp::sign:
      return a > T(0) ? T(1) : a < T(0) ? T(-1) : a;
    case ScalarOp::reciprocal:
      return T(1) / a;
    case ScalarOp::relu:
      return a < T(0) ? T(0) : a;
    case ScalarOp::leaky_relu:
      return a < T(0) ? p * a : a;
    case ScalarOp::tanh:
      return std::tanh(a);
    case ScalarOp::sigmoid:
      return a >= T(0) ? T(1) / (T(1) + std::exp(-a)) : std::exp(a) / (T(1) + std::exp(a));
    case ScalarOp::softplus:
      return (a < T(0) ? T(0) : a) + std::log1p(std::exp(-std::abs(a)));
    case ScalarOp::heaviside:
      return a > T(0) ? T(1) : T(0);
    case ScalarOp::leaky_slope:
      return a > T(0) ? T(1) : p;
    case ScalarOp::scale:
      return p * a;
    case ScalarOp::shift:
      return a + p;
    case ScalarOp::dropout:
      break;  // depends on the element: see below
  }
  return T(0);
}

/// out[i] = the tape's value with input j = inputs[j].data[i % period]. out may be an input whose period is n.
template <class T>
void elementwise(const ElementwiseTape& tape, const ElementwiseInput<T>* inputs, T* out, int64_t n,
                 const TapeRandom& random = {}) {
  std::vector<T> values(tape.num_inputs + tape.instructions.size());
  for (int64_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < tape.num_inputs; ++j) values[j] = inputs[j].data[i % inputs[j].period];
    size_t next = tape.num_inputs;
    for (const TapeInstruction& t : tape.instructions) {
      values[next++] = t.op == ScalarOp::dropout
                           ? dropped_out(i, t.p, {random.seed, t.stream, random.step}, values[t.a])
                           : apply(t.op, values[t.a], is_binary(t.op) ? values[t.b] : T(0), static_cast<T>(t.p));
    }
    out[i] = values.back();
  }
}

}  // namespace forger::reference
