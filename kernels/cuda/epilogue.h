// Applies a tape to results that a kernel still has in registers (kernels/common/epilogue.h has the rules).
//
// A kernel takes an Epilogue as a __grid_constant__ parameter of its own and calls apply() on kQuads quads at a time: the
// steps are decoded once for all of them, uniformly over the warp and from the constant bank, and the loads of an operand
// are in flight together. Values live in two groups of kQuads float4; operands are loaded where a step reads them. Cheap
// operations are unrolled; the others (tanh, division, Philox) are one piece of code through which the quads are passed in
// turn, so that a kernel grows by some 10 KiB and not by 50.
// No shared memory, no barriers, no warp operations: threads may call it apart. Registers: about 8 * kQuads + 40.
#pragma once

#include "kernels/common/epilogue.h"
#include "kernels/cuda/dropout.h"
#include "kernels/cuda/elementwise_operand.h"
#include "kernels/cuda/epilogue_args.h"
#include "kernels/cuda/scalar_ops.h"

namespace forger::FORGER_DEVICE {

struct Epilogue {
  struct Numbers {
    float p, factor;  // factor: dropout's 1 / (1 - p)
    uint64_t stream;
  };
  Operand operands[kEpilogueOperands];
  EpilogueStep steps[kEpilogueSteps];
  Numbers numbers[kEpilogueSteps];
  TapeSource source;
  int64_t size = 0;  // elements of the output
  int num_steps = 0;

  Epilogue() = default;
  /// For an output of `size` elements. The tape must be one that epilogue_program() takes.
  Epilogue(const EpilogueArgs& args, int64_t size_) : source(args.source), size(size_) {
    if (!args.tape) return;
    const auto program = epilogue_program(*args.tape);
    num_steps = program->num_steps;
    for (int i = 0; i < num_steps; ++i) {
      const TapeInstruction& t = args.tape->instructions[static_cast<size_t>(i)];
      steps[i] = program->steps[i];
      numbers[i] = {static_cast<float>(t.p), t.op == ScalarOp::dropout ? dropout_factor(t.p) : 0.f, t.stream};
    }
    for (size_t i = 0; i < args.operands.size(); ++i) operands[i] = Operand(args.operands[i], size);
  }

  __device__ __forceinline__ bool empty() const { return num_steps == 0; }

  /// v[q] holds elements first[q] .. first[q] + 3 of the output before the tape, and then after it. What lies beyond the
  /// output's end, or is not to be written, may be anything; first[q] itself is inside.
  template <int kQuads>
  __device__ __forceinline__ void apply(float4 (&v)[kQuads], const int64_t (&first)[kQuads]) const {
    float4 t[kQuads] = {};
#pragma unroll 1
    for (int i = 0; i < num_steps; ++i) {
      const EpilogueStep step = steps[i];
      float4 a[kQuads], b[kQuads];
      fetch(step.a, v, t, first, a);
      fetch(step.b, v, t, first, b);
      compute(step.op, numbers[i], first, a, b);
#pragma unroll
      for (int q = 0; q < kQuads; ++q) {
        v[q] = step.to == 0 ? a[q] : v[q];
        t[q] = step.to == 0 ? t[q] : a[q];
      }
    }
  }

 private:
  static_assert(kEpilogueRegisters == 2);  // v and t

  template <int kQuads>
  __device__ __forceinline__ void fetch(EpilogueSource from, const float4 (&v)[kQuads], const float4 (&t)[kQuads],
                                        const int64_t (&first)[kQuads], float4 (&to)[kQuads]) const {
    if (from < kEpilogueRegisters || from == kNoSource) {
#pragma unroll
      for (int q = 0; q < kQuads; ++q) to[q] = from == 1 ? t[q] : v[q];
      return;
    }
    const Operand& operand = operands[from - kEpilogueRegisters];
#pragma unroll
    for (int q = 0; q < kQuads; ++q) to[q] = operand.load_at(first[q], size);
  }

  template <ScalarOp kOp, int kQuads>
  static __device__ __forceinline__ void each(float4 (&a)[kQuads], const float4 (&b)[kQuads], float p) {
#pragma unroll
    for (int q = 0; q < kQuads; ++q) a[q] = quad_op<kOp>(a[q], b[q], p);
  }

  /// a = op(a, b).
  template <int kQuads>
  __device__ __forceinline__ void compute(ScalarOp op, const Numbers& constants, const int64_t (&first)[kQuads],
                                          float4 (&a)[kQuads], float4 (&b)[kQuads]) const {
    const float p = constants.p;
    switch (op) {
      case ScalarOp::add:
        return each<ScalarOp::add>(a, b, p);
      case ScalarOp::sub:
        return each<ScalarOp::sub>(a, b, p);
      case ScalarOp::mul:
        return each<ScalarOp::mul>(a, b, p);
      case ScalarOp::neg:
        return each<ScalarOp::neg>(a, b, p);
      case ScalarOp::square:
        return each<ScalarOp::square>(a, b, p);
      case ScalarOp::relu:
        return each<ScalarOp::relu>(a, b, p);
      case ScalarOp::leaky_relu:
        return each<ScalarOp::leaky_relu>(a, b, p);
      case ScalarOp::heaviside:
        return each<ScalarOp::heaviside>(a, b, p);
      case ScalarOp::leaky_slope:
        return each<ScalarOp::leaky_slope>(a, b, p);
      case ScalarOp::scale:
        return each<ScalarOp::scale>(a, b, p);
      case ScalarOp::shift:
        return each<ScalarOp::shift>(a, b, p);
      default:
        break;
    }
    int64_t at[kQuads];
#pragma unroll
    for (int q = 0; q < kQuads; ++q) at[q] = first[q];
#pragma unroll 1
    for (int turn = 0; turn < kQuads; ++turn) {
      const float4 result = op == ScalarOp::dropout
                                ? drop_quad(a[0], dropout_words(source, constants.stream, at[0]), p, constants.factor)
                                : rare_op(op, a[0], b[0], p);
#pragma unroll
      for (int q = 0; q + 1 < kQuads; ++q) a[q] = a[q + 1], b[q] = b[q + 1], at[q] = at[q + 1];
      a[kQuads - 1] = result;
    }
  }

  /// Operations that compute() does not unroll.
  static __device__ __forceinline__ float4 rare_op(ScalarOp op, float4 a, float4 b, float p) {
    switch (op) {
      case ScalarOp::div:
        return quad_op<ScalarOp::div>(a, b, p);
      case ScalarOp::maximum:
        return quad_op<ScalarOp::maximum>(a, b, p);
      case ScalarOp::minimum:
        return quad_op<ScalarOp::minimum>(a, b, p);
      case ScalarOp::exp:
        return quad_op<ScalarOp::exp>(a, b, p);
      case ScalarOp::log:
        return quad_op<ScalarOp::log>(a, b, p);
      case ScalarOp::sqrt:
        return quad_op<ScalarOp::sqrt>(a, b, p);
      case ScalarOp::rsqrt:
        return quad_op<ScalarOp::rsqrt>(a, b, p);
      case ScalarOp::abs:
        return quad_op<ScalarOp::abs>(a, b, p);
      case ScalarOp::sign:
        return quad_op<ScalarOp::sign>(a, b, p);
      case ScalarOp::reciprocal:
        return quad_op<ScalarOp::reciprocal>(a, b, p);
      case ScalarOp::tanh:
        return quad_op<ScalarOp::tanh>(a, b, p);
      case ScalarOp::sigmoid:
        return quad_op<ScalarOp::sigmoid>(a, b, p);
      case ScalarOp::softplus:
        return quad_op<ScalarOp::softplus>(a, b, p);
      default:
        return a;
    }
  }
};

/// For kernels that have none.
struct NoEpilogue {
  NoEpilogue(const EpilogueArgs&, int64_t) {}
  __device__ __forceinline__ bool empty() const { return true; }
  template <int kQuads>
  __device__ __forceinline__ void apply(float4 (&)[kQuads], const int64_t (&)[kQuads]) const {}
};

}  // namespace forger::FORGER_DEVICE
