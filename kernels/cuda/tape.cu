// Interprets a tape of scalar operations: out[i] = f(inputs[i]) in one pass over memory.
//
// Threads: each takes one quad (four neighbouring elements), 16-byte accesses. The tape is a kernel parameter, so its
// decoding is uniform over the warp and comes from the constant bank. A register array cannot be indexed at run time:
// values live in shared memory, one float4 slot per thread and live value (neighbouring threads, neighbouring 16 bytes: no
// bank conflicts and no barriers), except the last result, which stays in a register; in a chain it is the next operand.
// Dropout draws its quad's block of Philox (philox.h), as the op of that name does.
// Inputs are loaded four at a time before anything is computed; out may be an input of the output's size.
// Shared memory: 2 KiB per slot. The host reuses slots of values that nothing reads any more, so that the seed's tapes
// (two instructions, two inputs) take two. Limits: 12 inputs, 24 instructions.
#include "kernels/cuda/tape.h"

#include <utility>
#include <vector>

#include "kernels/cuda/dropout.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/elementwise_operand.h"
#include "kernels/cuda/scalar_ops.h"

namespace forger::FORGER_DEVICE {
namespace {

constexpr unsigned kThreads = 128;
constexpr int kMaxSlots = static_cast<int>(kMaxTapeInputs + kMaxTapeInstructions);
constexpr uint8_t kRegister = 0xFF;  // in place of a slot: the result of the step before

struct Step {
  ScalarOp op;
  uint8_t a, b;     // slots of the operands
  uint8_t result;   // slot to keep the result in; kRegister: only the next step reads it
  float p, factor;  // factor: dropout's 1 / (1 - p)
  uint64_t stream;
};

struct Tape {
  Operand inputs[kMaxTapeInputs];  // input i is loaded into slot i
  Step steps[kMaxTapeInstructions];
  TapeSource source;
  int num_inputs, num_steps;
};
static_assert(sizeof(Tape) <= 4000);  // kernel parameters have 4 KiB

struct Slots {
  float4 value[kMaxSlots][kThreads];
};

__global__ void __launch_bounds__(kThreads)
    elementwise_tape_f32_kernel(const __grid_constant__ Tape tape, float* out, int64_t n) {
  begin_kernel();
  const int64_t quad = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (4 * quad >= n) return;
  auto& slots = block_shared<Slots>().value;
  for (int i = 0; i < tape.num_inputs; i += 4) {
    float4 v[4] = {};
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      if (i + j < tape.num_inputs) v[j] = tape.inputs[i + j].load(quad, n);
    }
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      if (i + j < tape.num_inputs) slots[i + j][threadIdx.x] = v[j];
    }
  }
  float4 last = make_float4(0.f, 0.f, 0.f, 0.f);
  for (int i = 0; i < tape.num_steps; ++i) {
    const Step& step = tape.steps[i];
    const float4 a = step.a == kRegister ? last : slots[step.a][threadIdx.x];
    const float4 b = step.b == kRegister ? last : slots[step.b][threadIdx.x];
    last = step.op == ScalarOp::dropout ? drop_quad(a, dropout_words(tape.source, step.stream, 4 * quad), step.p, step.factor)
                                        : quad_op(step.op, a, b, step.p);
    if (step.result != kRegister) slots[step.result][threadIdx.x] = last;
  }
  store_quad(out, quad, n, last);
}

/// Gives values their slots and returns how many there are.
int assign_slots(const ElementwiseTape& from, Tape& to) {
  const size_t num_inputs = from.num_inputs, num_values = num_inputs + from.instructions.size();
  std::vector<size_t> last_use(num_values, 0);  // instruction
  std::vector<bool> used_later(num_values, false);
  for (size_t i = 0; i < from.instructions.size(); ++i) {
    const TapeInstruction& t = from.instructions[i];
    for (const size_t v : {size_t{t.a}, is_binary(t.op) ? size_t{t.b} : size_t{t.a}}) {
      last_use[v] = i;
      if (v >= num_inputs && v - num_inputs + 1 < i) used_later[v] = true;
    }
  }
  std::vector<uint8_t> slot(num_values, kRegister), free;
  for (size_t v = 0; v < num_inputs; ++v) slot[v] = static_cast<uint8_t>(v);
  int count = static_cast<int>(num_inputs);
  for (size_t i = 0; i < from.instructions.size(); ++i) {
    const TapeInstruction& t = from.instructions[i];
    const size_t a = t.a, b = is_binary(t.op) ? t.b : t.a, result = num_inputs + i;
    const auto place = [&](size_t v) { return v + 1 == result && v >= num_inputs ? kRegister : slot[v]; };
    const float factor = t.op == ScalarOp::dropout ? dropout_factor(t.p) : 0.f;
    to.steps[i] = {t.op, place(a), place(b), kRegister, static_cast<float>(t.p), factor, t.stream};
    // Operands are read before the result is written: their slots may become its own.
    for (const size_t v : {a, b}) {
      if (last_use[v] == i && slot[v] != kRegister) free.push_back(std::exchange(slot[v], kRegister));
    }
    if (!used_later[result]) continue;
    if (free.empty()) {
      slot[result] = static_cast<uint8_t>(count++);
    } else {
      slot[result] = free.back();
      free.pop_back();
    }
    to.steps[i].result = slot[result];
  }
  return count;
}

}  // namespace

void run_tape(const ElementwiseTape& tape, std::span<const ElementwiseInput<float>> inputs, const TapeSource& source, float* out,
              int64_t n, Stream stream) {
  Tape compiled{};
  compiled.source = source;
  compiled.num_inputs = static_cast<int>(inputs.size());
  compiled.num_steps = static_cast<int>(tape.instructions.size());
  for (size_t i = 0; i < inputs.size(); ++i) compiled.inputs[i] = Operand(inputs[i], n);
  const int slots = assign_slots(tape, compiled);
  // Only the slots in use, not all of Slots: shared memory bounds the blocks that a multiprocessor holds.
  launch(elementwise_tape_f32_kernel,
         {.grid_x = blocks_for(n, kThreads),
          .threads = kThreads,
          .shared_bytes = sizeof(float4[kThreads]) * static_cast<size_t>(slots)},
         stream, compiled, out, n);
}

}  // namespace forger::FORGER_DEVICE
