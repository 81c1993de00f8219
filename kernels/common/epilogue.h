// A tape on what a kernel has just computed, before it writes it: an activation behind a convolution, a dropout behind that.
//
// The tape's first input is the kernel's own result; the others are tensors that repeat along the leading axes, as for any
// tape (ElementwiseInput). Kernels hold values in registers, which cannot be indexed at run time: an epilogue is a tape
// that works with two of them.
#pragma once

#include <optional>

#include "kernels/common/elementwise.h"

namespace forger {

inline constexpr int kEpilogueOperands = 6;  // besides the kernel's own result
inline constexpr int kEpilogueSteps = 8;
inline constexpr int kEpilogueRegisters = 2;

/// Where a step finds an operand: registers 0 and 1, then the tape's inputs from the second on.
using EpilogueSource = uint8_t;
inline constexpr EpilogueSource kNoSource = 0xFF;

/// One instruction of a tape, with places in place of value numbers. The kernel's result is in register 0 at first, and so
/// is the tape's in the end.
struct EpilogueStep {
  ScalarOp op;
  EpilogueSource a, b;  // b: kNoSource for operations of one operand
  uint8_t to;           // register
};

struct EpilogueProgram {
  EpilogueStep steps[kEpilogueSteps];
  int num_steps = 0;
};

/// The tape as steps; nothing if it is too long, has too many inputs or needs more registers.
inline std::optional<EpilogueProgram> epilogue_program(const ElementwiseTape& tape) {
  const int num_inputs = tape.num_inputs, num_steps = static_cast<int>(tape.instructions.size());
  if (num_inputs < 1 || num_inputs > 1 + kEpilogueOperands || num_steps < 1 || num_steps > kEpilogueSteps) return {};
  std::vector<int> last_use(static_cast<size_t>(num_inputs + num_steps), -1);
  for (int i = 0; i < num_steps; ++i) {
    const TapeInstruction& t = tape.instructions[static_cast<size_t>(i)];
    last_use[t.a] = i;
    if (is_binary(t.op)) last_use[t.b] = i;
  }
  int holds[kEpilogueRegisters] = {0};  // value number
  for (int r = 1; r < kEpilogueRegisters; ++r) holds[r] = -1;
  const auto find = [&](int value) {
    if (value >= 1 && value < num_inputs) return static_cast<EpilogueSource>(kEpilogueRegisters + value - 1);
    for (int r = 0; r < kEpilogueRegisters; ++r) {
      if (holds[r] == value) return static_cast<EpilogueSource>(r);
    }
    return kNoSource;  // cannot happen: a value stays until its last use
  };
  EpilogueProgram program{{}, num_steps};
  for (int i = 0; i < num_steps; ++i) {
    const TapeInstruction& t = tape.instructions[static_cast<size_t>(i)];
    EpilogueStep& step = program.steps[i];
    step = {t.op, find(t.a), is_binary(t.op) ? find(t.b) : kNoSource, 0};
    int to = -1;
    for (int r = kEpilogueRegisters - 1; r >= 0; --r) {
      if (holds[r] < 0 || last_use[static_cast<size_t>(holds[r])] <= i) to = r;
    }
    if (i + 1 == num_steps) to = 0;
    if (to < 0) return {};
    step.to = static_cast<uint8_t>(to);
    holds[to] = num_inputs + i;
  }
  return program;
}

}  // namespace forger
