// What the emulator keeps of a launch, a block and each of its threads while they are under way: grid.cpp runs them, calls.cpp is
// what they call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/emulation/fiber.h"
#include "kernels/emulation/grid.h"

namespace forger::emulation {

enum class State : uint8_t { ready, at_warp, at_block, at_grid, done };

struct AsyncCopy {
  std::byte* shared;
  const std::byte* global;
  size_t bytes;
  bool valid;
};

struct Thread {
  Fiber fiber;
  Dim3 index;
  State state = State::done;
  uint8_t exchanges = 0, barriers = 0;  // their parity chooses among two slots: see wait()
  const char* operation = nullptr;      // that it waited at last
  bool began = false;                   // with begin_kernel, before anything else
  const uint32_t* word = nullptr;       // at_grid: until it is no longer `old`
  uint32_t old = 0;
  std::vector<AsyncCopy> copies;
  std::vector<size_t> groups;  // sizes of the committed groups, oldest first
  size_t uncommitted = 0;
};

struct Warp {
  alignas(64) std::byte slots[2][kWarpSize][kWarpSlotBytes];
};

/// A block under way.
struct Block {
  Dim3 index;
  std::unique_ptr<std::byte[]> shared;
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  std::vector<Stack> stacks;
  bool votes = false, outcome = false;  // of the barrier that threads arrive at, and of the one before it
  // Addresses that stand for the barrier (see wait()), and for the beginning and the end of the block.
  char sync[2] = {}, begin = 0, end = 0;
  bool started = false;
};

/// A launch. Its blocks run one after another in the fibers of one, or all together.
class Grid {
 public:
  Grid(Dim3 grid, Dim3 block, size_t shared_bytes, Body body, const Options& options, size_t blocks_at_once);
  ~Grid();
  Grid(const Grid&) = delete;
  Grid& operator=(const Grid&) = delete;

  /// Calls f with the number of every block, in the order of the options.
  template <class F>
  void for_blocks(uint64_t count, F f) const;
  void run_one_by_one();
  void run_together();

  void* shared() { return block_->shared.get(); }
  void wait(State state, const char* operation);
  void wait_for_change(const uint32_t* word, uint32_t old);
  const std::byte* exchange(const void* mine, size_t bytes, const char* operation);
  bool vote(bool mine);
  Thread& current() { return *current_; }
  void begin();
  unsigned lane() const { return static_cast<unsigned>(current_ - block_->threads.data()) % kWarpSize; }
  bool copies_early() const { return options_.copy_early; }

 private:
  static void enter(boost::context::detail::transfer_t transfer);
  using Order = std::array<uint8_t, kWarpSize>;  // of lanes, or of warps: there are at most 32 of both
  Order order(unsigned count);
  Dim3 index_of(uint64_t number) const;
  void start_block(Block& block, Dim3 index);
  bool advance_block(Block& block);
  void run_warp(unsigned warp);
  void run_thread(Thread& thread);
  std::string place(const Thread& t) const;
  unsigned warp_of(const Thread& t) const { return static_cast<unsigned>(&t - block_->threads.data()) / kWarpSize; }

  Body body_;
  const Options& options_;
  size_t shared_bytes_;
  std::vector<Block> blocks_;
  Block* block_ = nullptr;  // the one that runs
  Fiber scheduler_;
  Thread* current_ = nullptr;
  uint32_t shuffles_ = 0;
};

/// The launch that runs in this thread of the host.
extern constinit thread_local Grid* active;

}  // namespace forger::emulation
