// Runs a CUDA grid on the host: one fiber per CUDA thread, one block after another, or all blocks of a cooperative launch in
// turn.
//
// Blocks run in the order that the options say, as threads do. Threads run in turn, each until it waits at a barrier. So an
// unguarded exchange through shared memory gives a result that depends on the order of the threads, and shared memory starts as
// NaN: a kernel that forgets a barrier is wrong in at least one order. Every barrier is checked for threads that can never meet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace forger::emulation {

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
};

/// In which order the blocks of a grid run, and the threads of a block between two barriers. On hardware any order may
/// happen.
enum class ThreadOrder : uint8_t { forward, backward, shuffled };

/// What a launch's stream points to under emulation; nullptr means the defaults.
struct Options {
  ThreadOrder order = ThreadOrder::forward;
  uint64_t seed = 0;        // of the shuffled order
  bool copy_early = false;  // cp.async: when it is issued, or (false) only when it is waited for
  /// Called before every launch with the kernel's address.
  std::function<void(const void* kernel, unsigned threads, size_t shared_bytes)> observer = nullptr;
  /// Stream capture: launches are kept here, with their arguments as they are now, and not run.
  std::vector<std::function<void()>>* recording = nullptr;
};

/// A call without its arguments' types.
struct Body {
  void (*call)(void*);
  void* closure;
};

/// Runs `body` once per thread. Throws Error when the launch is beyond a GPU's limits, or when threads wait for each
/// other for ever. `cooperative`: all blocks are under way at once, each until it waits for another; else one runs after
/// the other, and a wait for another block is an error, as it may be one for ever on a GPU.
void run_grid(Dim3 grid, Dim3 block, size_t shared_bytes, Body body, const Options& options, bool cooperative = false);

// What follows is for code that runs as a CUDA thread.

extern constinit thread_local Dim3 threadIdx, blockIdx, blockDim, gridDim;

/// Every thread calls it before anything else, or the launch is an error: see kernels/cuda/launch.h.
void begin_kernel();

/// The block's shared memory, of exactly the size that the launch asked for.
void* shared_memory();

/// Waits for all threads of the block that have not returned.
void block_barrier();
/// The same, and tells whether any of them brought true.
bool block_barrier_or(bool mine);

/// Waits until another block has changed *word, which was `old`.
void wait_for_change(const uint32_t* word, uint32_t old);

/// Hands `bytes` (at most 64) to the other lanes of the warp and waits for them. Returns 32 slots of 64 bytes, by lane;
/// they stay as they are until this lane's second next exchange. `operation` names the instruction: lanes of one
/// warp that meet at different ones are an error. A lane that returned before has 0xFF in its slot.
const std::byte* warp_exchange(const void* mine, size_t bytes, const char* operation);
inline constexpr size_t kWarpSlotBytes = 64;
inline constexpr unsigned kWarpSize = 32;

/// This thread's place in its warp.
unsigned lane();

/// cp.async: copies (zeros if `valid` is false) belong to a group once committed; wait until at most `pending` of this
/// thread's groups are not done.
void async_copy(void* shared, const void* global, size_t bytes, bool valid);
void async_commit();
void async_wait(int pending);

}  // namespace forger::emulation
