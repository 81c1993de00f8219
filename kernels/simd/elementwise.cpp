#include "kernels/simd/elementwise.h"

#include "kernels/common/errors.h"
#include "kernels/simd/leaf/leaf.h"
#include "kernels/simd/threads.h"

namespace forger::simd {

namespace {

void check(const ElementwiseTape& tape) {
  if (tape.instructions.empty()) fail<ShapeError>("elementwise tape: no instructions");
  if (tape.instructions.size() > kMaxTapeSteps) {
    fail<ShapeError>("elementwise tape: {} instructions, the limit is {}; split it", tape.instructions.size(), kMaxTapeSteps);
  }
  if (tape.num_inputs > kMaxTapeInputs) {
    fail<ShapeError>("elementwise tape: {} inputs, the limit is {}; split it", tape.num_inputs, kMaxTapeInputs);
  }
  for (size_t i = 0; i < tape.instructions.size(); ++i) {
    const TapeInstruction& instruction = tape.instructions[i];
    const size_t known = tape.num_inputs + i;
    if (instruction.a >= known || (is_binary(instruction.op) && instruction.b >= known)) {
      fail<ShapeError>("elementwise tape: instruction {} reads value {}, but only values below {} are known there", i,
                       is_binary(instruction.op) ? std::max(instruction.a, instruction.b) : instruction.a, known);
    }
  }
}

/// Gives each instruction's result a slot. A slot is free again after the last instruction that reads it,
/// whose own result may take it: instructions go element by element.
void assign_slots(const ElementwiseTape& tape, TapePlan& plan) {
  const int num_inputs = tape.num_inputs;
  plan.num_inputs = num_inputs;
  plan.num_steps = static_cast<int>(tape.instructions.size());
  plan.num_slots = 0;

  int last_reader[kMaxTapeSteps];  // of each instruction's result
  for (int i = 0; i < plan.num_steps; ++i) {
    const TapeInstruction& instruction = tape.instructions[i];
    last_reader[i] = i;
    if (instruction.a >= num_inputs) last_reader[instruction.a - num_inputs] = i;
    if (is_binary(instruction.op) && instruction.b >= num_inputs) last_reader[instruction.b - num_inputs] = i;
  }

  int free_at[kMaxTapeSteps];  // the instruction that may take this slot
  uint16_t slot_of[kMaxTapeSteps];
  const auto operand = [&](uint16_t value) {
    return value < num_inputs ? value : static_cast<uint16_t>(num_inputs + slot_of[value - num_inputs]);
  };
  for (int i = 0; i < plan.num_steps; ++i) {
    const TapeInstruction& instruction = tape.instructions[i];
    TapeStep& step = plan.steps[i];
    step.op = instruction.op;
    step.p = static_cast<float>(instruction.p);
    step.stream = instruction.stream;
    step.a = operand(instruction.a);
    step.b = is_binary(instruction.op) ? operand(instruction.b) : step.a;
    if (i + 1 == plan.num_steps) {
      step.result = kTapeOut;
      break;
    }
    int slot = 0;
    while (slot < plan.num_slots && free_at[slot] > i) ++slot;
    plan.num_slots = std::max(plan.num_slots, slot + 1);
    // A result that nothing reads keeps its slot for the instruction itself.
    free_at[slot] = std::max(last_reader[i], i + 1);
    slot_of[i] = static_cast<uint16_t>(slot);
    step.result = slot_of[i];
  }
}

}  // namespace

void elementwise(const ElementwiseTape& tape, std::span<const ElementwiseInput<float>> inputs, float* out, int64_t n, Isa isa,
                 const TapeRandom& random) {
  check(tape);
  if (inputs.size() != tape.num_inputs) {
    fail<ShapeError>("elementwise tape: {} inputs given, {} expected", inputs.size(), tape.num_inputs);
  }
  TapePlan plan;
  plan.inputs = inputs.data();
  plan.random = random;
  assign_slots(tape, plan);

  int scratch = plan.num_slots;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const int64_t period = inputs[i].period;
    if (period < 1) fail<ShapeError>("elementwise tape: input {} has period {}", i, period);
    // A tile of kTapeBlock + period - 1 numbers, or room for one block; see BlockReader.
    plan.input_blocks[i] = period >= n ? 0 : period > 1 && period <= kTapeBlock ? 2 : 1;
    scratch += plan.input_blocks[i];
  }
  if (scratch > kMaxTapeScratch) {
    fail<ShapeError>("elementwise tape: needs {} blocks of temporaries, the limit is {}; split it", scratch, kMaxTapeScratch);
  }

  const Leaf& kernels = leaf(isa);
  static_assert(kChunkElements % kTapeBlock == 0 && kTapeBlock % 64 == 0);  // where dropout may begin
  const Split chunks = split(n, 1);
  parallel_for(chunks.pieces, [&](int64_t i) { kernels.run_tape(plan, out, chunks.begin(i), chunks.end(i)); });
}

bool supports_tape(const ElementwiseTape& tape) {
  if (tape.instructions.size() > kMaxTapeSteps || tape.num_inputs > kMaxTapeInputs) return false;
  check(tape);
  TapePlan plan;
  assign_slots(tape, plan);
  return plan.num_slots + 2 * plan.num_inputs <= kMaxTapeScratch;
}

}  // namespace forger::simd
