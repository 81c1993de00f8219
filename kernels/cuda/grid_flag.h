// Blocks that wait for a result that one of them makes last: together with last_block.h a sum over the whole grid that all of
// them go on with, in one launch.
//
// Only for cooperative launches, whose blocks are all under way at once; in any other a block that waits may hold the place
// that the block it waits for needs. A flag is a counter that is never taken back, so that it needs no clearing between
// launches: a block notes what it was before it hands in its part, and waits for another value.
#pragma once

#include "kernels/cuda/launch.h"

namespace forger::FORGER_DEVICE {

/// The flag before this block's part was handed in. To be called by all threads before last_block.
__device__ __forceinline__ uint32_t flag_before(const uint32_t* flag) {
  return __ldcg(flag);
}

/// Tells all blocks that wait for `flag`. All threads of the block call it; what they wrote before is visible to the others.
__device__ __forceinline__ void raise_flag(uint32_t* flag) {
  __syncthreads();
  if (threadIdx.x != 0) return;
  __threadfence();
  atomicAdd(flag, 1u);
}

/// Waits for raise_flag by another block. All threads of the block call it; then they may read, with __ldcg, what it wrote.
__device__ __forceinline__ void await_flag(const uint32_t* flag, uint32_t before) {
  if (threadIdx.x == 0) ptx::wait_for_change(flag, before);
  __syncthreads();
}

}  // namespace forger::FORGER_DEVICE
