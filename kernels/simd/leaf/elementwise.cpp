// The interpreter of elementwise tapes: 512 elements at a time go through all instructions, in first-level
// cache.
#include "kernels/simd/leaf/math.h"
#include "kernels/simd/leaf/parts.h"

namespace forger::simd::FORGER_ISA {
namespace {

template <class F>
FORGER_INLINE void map(const float* a, float* out, int64_t n, const F& f) {
  for_lanes(n, [&](int64_t i, int64_t count) { store(out + i, f(load(a + i, count)), count); });
}

template <class F>
FORGER_INLINE void map(const float* a, const float* b, float* out, int64_t n, const F& f) {
  for_lanes(n, [&](int64_t i, int64_t count) { store(out + i, f(load(a + i, count), load(b + i, count)), count); });
}

/// One instruction over n elements. `out` may be `a` or `b`. Every case lets NaN through, except for the
/// slopes, whose definition says 0 and p.
void apply(ScalarOp op, const float* a, const float* b, float p, float* out, int64_t n) {
  switch (op) {
    case ScalarOp::add:
      return map(a, b, out, n, [](VF x, VF y) { return x + y; });
    case ScalarOp::sub:
      return map(a, b, out, n, [](VF x, VF y) { return x - y; });
    case ScalarOp::mul:
      return map(a, b, out, n, [](VF x, VF y) { return x * y; });
    case ScalarOp::div:
      return map(a, b, out, n, [](VF x, VF y) { return x / y; });
    case ScalarOp::maximum:  // the comparison is false for NaN: y's NaN is taken by it, x's by the second ?:
      return map(a, b, out, n, [](VF x, VF y) { return x != x ? x : (x > y ? x : y); });
    case ScalarOp::minimum:
      return map(a, b, out, n, [](VF x, VF y) { return x != x ? x : (x < y ? x : y); });
    case ScalarOp::neg:
      return map(a, out, n, [](VF x) { return -x; });
    case ScalarOp::exp:
      return map(a, out, n, [](VF x) { return exp(x); });
    case ScalarOp::log:
      return map(a, out, n, [](VF x) { return log(x); });
    case ScalarOp::sqrt:
      return map(a, out, n, [](VF x) { return sqrt(x); });
    case ScalarOp::rsqrt:
      return map(a, out, n, [](VF x) { return 1.f / sqrt(x); });
    case ScalarOp::square:
      return map(a, out, n, [](VF x) { return x * x; });
    case ScalarOp::abs:
      return map(a, out, n, [](VF x) { return abs(x); });
    case ScalarOp::sign:
      return map(a, out, n, [](VF x) { return x > 0.f ? splat(1.f) : (x < 0.f ? splat(-1.f) : x); });
    case ScalarOp::reciprocal:
      return map(a, out, n, [](VF x) { return 1.f / x; });
    case ScalarOp::relu:
      return map(a, out, n, [](VF x) { return relu(x); });
    case ScalarOp::leaky_relu:
      return map(a, out, n, [p](VF x) { return x > 0.f ? x : p * x; });
    case ScalarOp::tanh:
      return map(a, out, n, [](VF x) { return tanh(x); });
    case ScalarOp::sigmoid:
      return map(a, out, n, [](VF x) { return sigmoid(x); });
    case ScalarOp::softplus:
      return map(a, out, n, [](VF x) { return softplus(x); });
    case ScalarOp::heaviside:
      return map(a, out, n, [](VF x) { return x > 0.f ? splat(1.f) : VF{}; });
    case ScalarOp::leaky_slope:
      return map(a, out, n, [p](VF x) { return x > 0.f ? splat(1.f) : splat(p); });
    case ScalarOp::scale:
      return map(a, out, n, [p](VF x) { return p * x; });
    case ScalarOp::shift:
      return map(a, out, n, [p](VF x) { return x + p; });
    case ScalarOp::dropout:
      break;  // run_tape does it
  }
}

/// Where one input's block is found. A full-size input is read in place. One with a short period is repeated
/// into a tile once, from which any block can be read at its phase. One with a long period is read in place
/// too, and copied only where a block runs over the period's end.
struct BlockReader {
  const float* data;
  int64_t period;  // 0: read in place
  bool tiled;
  float* buffer;
};

FORGER_INLINE const float* read_block(const BlockReader& from, int64_t begin, int64_t count) {
  if (from.period == 0) return from.data + begin;
  const int64_t phase = begin % from.period;
  if (from.tiled) return from.buffer + phase;
  const int64_t before_wrap = from.period - phase;
  if (count <= before_wrap) return from.data + phase;
  std::memcpy(from.buffer, from.data + phase, static_cast<size_t>(before_wrap) * sizeof(float));
  std::memcpy(from.buffer + before_wrap, from.data, static_cast<size_t>(count - before_wrap) * sizeof(float));
  return from.buffer;
}

void run_tape(const TapePlan& plan, float* out, int64_t begin, int64_t end) {
  alignas(64) float scratch[kMaxTapeScratch * kTapeBlock];
  const float* values[kMaxTapeInputs + kMaxTapeScratch];  // [inputs, slots]: this block of each
  BlockReader readers[kMaxTapeInputs];
  float* const slots = scratch;
  float* free = scratch + plan.num_slots * kTapeBlock;

  for (int i = 0; i < plan.num_slots; ++i) values[plan.num_inputs + i] = slots + i * kTapeBlock;
  for (int i = 0; i < plan.num_inputs; ++i) {
    const auto [data, period] = plan.inputs[i];
    if (plan.input_blocks[i] == 0) {
      readers[i] = {data, 0, false, nullptr};
      continue;
    }
    readers[i] = {data, period, period <= kTapeBlock, free};
    if (period <= kTapeBlock) {
      const int64_t tile = kTapeBlock + period - 1;
      for (int64_t k = 0; k < tile; k += period) {
        const int64_t count = period < tile - k ? period : tile - k;
        std::memcpy(free + k, data, static_cast<size_t>(count) * sizeof(float));
      }
    }
    free += plan.input_blocks[i] * kTapeBlock;
  }

  for (int64_t block = begin; block < end; block += kTapeBlock) {
    const int64_t count = kTapeBlock < end - block ? kTapeBlock : end - block;
    for (int i = 0; i < plan.num_inputs; ++i) values[i] = read_block(readers[i], block, count);
    for (int i = 0; i < plan.num_steps; ++i) {
      const TapeStep& step = plan.steps[i];
      float* to = step.result == kTapeOut ? out + block : slots + step.result * kTapeBlock;
      if (step.op == ScalarOp::dropout) {
        const RandomKey key = {plan.random.seed, step.stream, plan.random.step};
        dropout(values[step.a], to, block, count, step.p, key);
      } else {
        apply(step.op, values[step.a], values[step.b], step.p, to, count);
      }
    }
  }
}

}  // namespace

void add_elementwise(Leaf& leaf) {
  leaf.run_tape = run_tape;
}

}  // namespace forger::simd::FORGER_ISA
