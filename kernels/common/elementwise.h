// The scalar operations that every provider computes element by element, and the tape that fuses a chain of them.
#pragma once

#include <cstdint>
#include <vector>

namespace forger {

/// One scalar operation on a, b and a constant parameter p.
enum class ScalarOp : uint8_t {
  // two operands
  add,
  sub,
  mul,
  div,
  maximum,
  minimum,
  // one operand
  neg,
  exp,
  log,
  sqrt,
  rsqrt,
  square,
  abs,
  sign,
  reciprocal,
  relu,        // max(a, 0)
  leaky_relu,  // a > 0 ? a : p * a
  tanh,
  sigmoid,      // 1 / (1 + exp(-a)), without overflow
  softplus,     // log(1 + exp(a)) = max(a, 0) + log1p(exp(-|a|))
  heaviside,    // a > 0 ? 1 : 0: relu's slope
  leaky_slope,  // a > 0 ? 1 : p: leaky_relu's slope
  scale,        // p * a
  shift,        // a + p
  // one operand, in tapes only; as a node of its own it is the op "dropout", which has more inputs
  dropout,  // of element i: u >= p ? a / (1 - p) : 0, where u is element i's uniform number of the instruction's stream
};

/// "add", "leaky_relu", ...: also the name of the graph op.
constexpr const char* name_of(ScalarOp op) {
  constexpr const char* kNames[] = {"add",         "sub",   "mul",        "div",    "maximum", "minimum",  "neg",
                                    "exp",         "log",   "sqrt",       "rsqrt",  "square",  "abs",      "sign",
                                    "reciprocal",  "relu",  "leaky_relu", "tanh",   "sigmoid", "softplus", "heaviside",
                                    "leaky_slope", "scale", "shift",      "dropout"};
  return kNames[static_cast<int>(op)];
}
/// Those that are graph ops by themselves.
inline constexpr int kNumScalarOps = static_cast<int>(ScalarOp::shift) + 1;

constexpr bool is_binary(ScalarOp op) {
  return op <= ScalarOp::minimum;
}

/// One step of a tape. Operands are value numbers: 0 .. num_inputs-1 are the tape's inputs, num_inputs+i is the
/// result of instruction i. `b` is ignored by operations of one operand, `stream` by all but dropout.
struct TapeInstruction {
  ScalarOp op;
  uint16_t a = 0;
  uint16_t b = 0;
  double p = 0;
  uint64_t stream = 0;

  bool operator==(const TapeInstruction&) const = default;
};

/// A fused elementwise expression; its value is the result of the last instruction. If there is a dropout in it, a seed and
/// a step that all its dropouts share come after its inputs, and are not counted among them.
struct ElementwiseTape {
  uint16_t num_inputs = 0;
  std::vector<TapeInstruction> instructions;

  bool operator==(const ElementwiseTape&) const = default;
};

inline bool draws_random(const ElementwiseTape& tape) {
  for (const TapeInstruction& t : tape.instructions) {
    if (t.op == ScalarOp::dropout) return true;
  }
  return false;
}

/// What the random numbers of a tape depend on, besides stream and element (philox.h).
struct TapeRandom {
  uint64_t seed = 0, step = 0;
};

/// An input of an elementwise kernel: element i of the output reads data[i % period].
/// period = number of elements: a tensor of the output's shape; 1: a scalar; C: one value per channel (NHWC).
template <class T>
struct ElementwiseInput {
  const T* data;
  int64_t period;
};

}  // namespace forger
