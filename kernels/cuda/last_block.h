// Finishing a sum inside the kernel that makes its parts: of the blocks that share a result, the last one to be done adds up.
//
// Every block writes its partial results to memory and takes a ticket. Whoever draws the last ticket knows that all partial
// results are there, and reads them in the order of the blocks' numbers: the sum does not depend on who came last. No block
// ever waits for another, so blocks may run in any order, and one after the other.
// Memory: a barrier and a fence stand between a block's stores and its ticket, a fence and a barrier between the last
// ticket and what follows (both fences by one thread: they extend to what the barrier ordered, as in cooperative
// groups' grid barrier). Read partial results with __ldcg: L1 may hold what was there before.
#pragma once

#include "kernels/cuda/launch.h"

namespace forger::FORGER_DEVICE {

/// True in the last of `blocks` blocks to call this with `counter`, for all its threads. All threads of a block must call
/// it. The counter is 0 before the first block comes, and 0 again after the last one: the next launch finds it so.
__device__ __forceinline__ bool last_block(uint32_t* counter, unsigned blocks) {
  __syncthreads();
  bool last = false;
  if (threadIdx.x == 0) {
    __threadfence();
    last = atomicInc(counter, blocks - 1) == blocks - 1;
    __threadfence();
  }
  return __syncthreads_or(last) != 0;
}

}  // namespace forger::FORGER_DEVICE
