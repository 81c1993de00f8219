// What a thread block does with a block_program: instruction after instruction, with a barrier where one needs another's
// results. Block and shared memory belong to the kernel that calls run_instructions().
#pragma once

#include "kernels/cuda/block_program.h"
#include "kernels/cuda/block_sum.h"
#include "kernels/cuda/dropout.h"
#include "kernels/cuda/philox_quads.h"
#include "kernels/cuda/scalar_ops.h"
#include "kernels/cuda/strided_sum.h"

namespace forger::FORGER_DEVICE {

/// A kernel parameter: decoding is uniform over the block and comes from the constant bank.
struct BlockCode {
  BlockInstruction instructions[kMaxBlockInstructions];
  int64_t words[kMaxBlockWords];
  void* pointers[kMaxBlockPointers];
  int count;
};
static_assert(sizeof(BlockCode) <= 4000);

constexpr unsigned kSumThreads = 256;  // losses and long sums add in the order of their own kernels

struct BlockMemory {
  BlockSum<kSumThreads> sums;
  float4 values[kMaxBlockShared / sizeof(float4)];  // a launch asks for those in use
};

/// Fills `code`; throws nothing. Callers keep to the limits of block_program.h.
BlockCode block_code(const BlockProgram& program, const std::vector<void*>& addresses);
size_t block_memory_bytes(const BlockProgram& program);

template <class T>
__device__ __forceinline__ T* block_value(const BlockCode& code, BlockMemory& memory, BlockPlace place) {
  void* const address = place & kInShared ? static_cast<void*>(&memory.values[place & ~kInShared]) : code.pointers[place];
  return static_cast<T*>(address);
}

__device__ __forceinline__ float4 load_block_operand(const float* x, const BlockOperand& by, unsigned quad, unsigned n) {
  if (by.repeat == 0) return load_quad(x, quad, n);
  if (by.period == 1) {
    const float v = x[0];
    return make_float4(v, v, v, v);
  }
  const auto element = [&](unsigned i) { return i < n ? x[i / by.repeat % by.period] : 0.f; };
  return make_float4(element(4 * quad), element(4 * quad + 1), element(4 * quad + 2), element(4 * quad + 3));
}

/// The sum over the block's first kSumThreads threads, as block_sum() adds it. All threads must call it.
__device__ __forceinline__ double sum_of_first(double v, BlockSum<kSumThreads>& shared) {
  v = warp_sum(v);
  if (threadIdx.x % 32 == 0 && threadIdx.x < kSumThreads) shared.warps[threadIdx.x / 32] = v;
  __syncthreads();
  double total = 0;
#pragma unroll
  for (unsigned i = 0; i < kSumThreads / 32; ++i) total += shared.warps[i];
  __syncthreads();
  return total;
}

/// [outer, n, inner] -> [outer, inner]: a warp per result, or the block for long rows.
template <unsigned kThreads>
__device__ __forceinline__ void block_reduce(const float* x, float* y, int64_t outer, unsigned n, int64_t inner, unsigned rank,
                                             BlockSum<kSumThreads>& shared) {
  if (inner == 1 && n > kLongestWarpSum) {
    for (int64_t row = 0; row < outer; ++row) {
      double mine = 0;
      if (threadIdx.x < kSumThreads) {
        const bool aligned = n % 4 == 0 || outer == 1;
        mine = static_cast<double>(
            strided_sum<static_cast<int>(kSumThreads)>(x + row * n, int64_t{n}, int64_t{threadIdx.x}, aligned));
      }
      const double sum = sum_of_first(mine, shared);
      if (threadIdx.x == 0) y[row] = static_cast<float>(sum);
    }
    return;
  }
  const int lane = static_cast<int>(rank % 32);
  for (int64_t o = rank / 32; o < outer * inner; o += kThreads / 32) {
    float mine = 0.f;
    if (inner == 1) {
      mine = strided_sum<32>(x + o * n, static_cast<int>(n), lane, n % 4 == 0);
    } else {
      const float* const column = x + o / inner * n * inner + o % inner;
      for (unsigned r = static_cast<unsigned>(lane); r < n; r += 32) mine += column[r * inner];
    }
    const double sum = warp_sum(static_cast<double>(mine));
    if (lane == 0) y[o] = static_cast<float>(sum);
  }
}

template <unsigned kThreads>
__device__ __forceinline__ void run_instruction(const BlockInstruction& t, const BlockCode& code, BlockMemory& memory) {
  const unsigned rank = (threadIdx.x + kThreads - 32u * t.first_warp) % kThreads, n = t.n;
  const int64_t* const words = code.words + t.words;
  const auto* const a = block_value<const float>(code, memory, t.in[0]);
  const auto* const b = block_value<const float>(code, memory, t.in[1]);
  auto* const out = block_value<float>(code, memory, t.out[0]);
  const auto random = [&](int first) {
    return PhiloxSource{block_value<const uint64_t>(code, memory, t.in[first]),
                        block_value<const int64_t>(code, memory, t.in[first + 1]), static_cast<uint64_t>(words[0])};
  };
  const auto quads = [&](const auto& value) {
    for (unsigned quad = rank; 4 * quad < n; quad += kThreads) store_quad(out, quad, n, value(quad));
  };
  switch (t.op) {
    case BlockOp::elementwise:
      quads([&](unsigned quad) {
        const float4 x = load_block_operand(a, t.a, quad, n);
        return quad_op(t.scalar, x, is_binary(t.scalar) ? load_block_operand(b, t.b, quad, n) : x, t.p);
      });
      break;
    case BlockOp::copy:
      quads([&](unsigned quad) { return load_block_operand(a, t.a, quad, n); });
      break;
    case BlockOp::fill:
      quads([&](unsigned) { return make_float4(t.p, t.p, t.p, t.p); });
      break;
    case BlockOp::random_uniform:
      quads([&](unsigned quad) { return uniform_quad(random(0), t.p, t.q, quad); });
      break;
    case BlockOp::random_normal:
      quads([&](unsigned quad) { return normal_quad(random(0), t.p, t.q, quad); });
      break;
    case BlockOp::dropout:
      quads([&](unsigned quad) { return drop_quad(load_block_operand(a, t.a, quad, n), words_of(random(1), quad), t.p, t.q); });
      break;
    case BlockOp::random_rows:
      for (unsigned i = rank; i < n; i += kThreads) {
        reinterpret_cast<int32_t*>(out)[i] = random_row(random(0), static_cast<uint32_t>(words[1]), i);
      }
      break;
    case BlockOp::epoch_rows:
      for (unsigned i = rank; i < n; i += kThreads) {
        reinterpret_cast<int32_t*>(out)[i] = epoch_row(random(0), {int64_t{n}, words[1], words[2], words[3]}, i);
      }
      break;
    case BlockOp::gather:
      for (unsigned i = rank; i < n; i += kThreads) {
        const int64_t row = words[0], r = i / row;
        out[i] = a[reinterpret_cast<const int32_t*>(b)[r] * row + (i - r * row)];
      }
      break;
    case BlockOp::bce: {
      const float count = static_cast<float>(n);
      auto* const gradient = block_value<float>(code, memory, t.out[1]);
      double mine = 0;
      for (unsigned i = threadIdx.x; threadIdx.x < kSumThreads && i < n; i += kSumThreads) {
        const float logit = a[i], target = b[i];
        mine += static_cast<double>(softplus(logit) - logit * target);
        gradient[i] = (sigmoid(logit) - target) / count;
      }
      const double sum = sum_of_first(mine, memory.sums);
      if (threadIdx.x == 0) *out = static_cast<float>(sum / static_cast<double>(n));
      break;
    }
    case BlockOp::sum:
      block_reduce<kThreads>(a, out, words[0], n, words[1], rank, memory.sums);
      break;
    case BlockOp::increment:
      if (rank == 0) *reinterpret_cast<int64_t*>(out) = *reinterpret_cast<const int64_t*>(a) + 1;
      break;
  }
}

/// All threads of a block of kThreads must call it. The caller's own writes must be visible to the block before.
template <unsigned kThreads>
__device__ __forceinline__ void run_instructions(const BlockCode& code, BlockMemory& memory) {
  for (int i = 0; i < code.count; ++i) {
    if (code.instructions[i].barrier) __syncthreads();
    run_instruction<kThreads>(code.instructions[i], code, memory);
  }
}

}  // namespace forger::FORGER_DEVICE
