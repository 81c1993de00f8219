// out[i] = op(a[i], b[i], p): one kernel per scalar operation, bound by memory.
//
// Threads: each takes two quads (four neighbouring elements), a block's width apart, so that accesses are 16 bytes wide
// and coalesced and all loads are in flight before the first store; out may therefore be a or b.
// Shared memory: none. Limits: none; operands may repeat with any period (elementwise_operand.h).
#include "kernels/cuda/elementwise.h"

#include <utility>

#include "kernels/cuda/elementwise_operand.h"
#include "kernels/cuda/scalar_ops.h"
#include "kernels/cuda/tape.h"

namespace forger::FORGER_DEVICE {
namespace {

constexpr unsigned kThreads = 128;
constexpr int kQuads = 2;  // of each thread

template <ScalarOp kOp>
__global__ void __launch_bounds__(kThreads)
    elementwise_op_f32_kernel(const __grid_constant__ Operand a, const __grid_constant__ Operand b, float p, float* out,
                              int64_t n) {
  begin_kernel();
  const int64_t first = int64_t{blockIdx.x} * (kQuads * kThreads) + threadIdx.x;
  float4 x[kQuads] = {}, y[kQuads] = {};
#pragma unroll
  for (int k = 0; k < kQuads; ++k) {
    const int64_t quad = first + k * int64_t{kThreads};
    if (4 * quad >= n) continue;
    x[k] = a.load(quad, n);
    if (is_binary(kOp)) y[k] = b.load(quad, n);
  }
#pragma unroll
  for (int k = 0; k < kQuads; ++k) {
    const int64_t quad = first + k * int64_t{kThreads};
    if (4 * quad < n) store_quad(out, quad, n, quad_op<kOp>(x[k], y[k], p));
  }
}

using OpKernel = void (*)(Operand, Operand, float, float*, int64_t);

template <size_t... kOps>
OpKernel kernel_of(ScalarOp op, std::index_sequence<kOps...>) {
  const OpKernel kernels[] = {elementwise_op_f32_kernel<static_cast<ScalarOp>(kOps)>...};
  return kernels[static_cast<size_t>(op)];
}

}  // namespace

void elementwise(const ElementwiseTape& tape, std::span<const ElementwiseInput<float>> inputs, const TapeSource& source,
                 float* out, int64_t n, Stream stream) {
  if (n == 0) return;
  if (tape.instructions.size() > 1 || draws_random(tape)) return run_tape(tape, inputs, source, out, n, stream);
  const TapeInstruction& t = tape.instructions[0];
  const Operand a(inputs[t.a], n), b = is_binary(t.op) ? Operand(inputs[t.b], n) : Operand();
  launch(kernel_of(t.op, std::make_index_sequence<kNumScalarOps>()),
         {.grid_x = blocks_for(n, kThreads, kQuads), .threads = kThreads}, stream, a, b, static_cast<float>(t.p), out, n);
}

}  // namespace forger::FORGER_DEVICE
