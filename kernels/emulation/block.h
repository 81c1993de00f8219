// What the emulator keeps of a block and of each of its threads while they are under way; for grid.cpp alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
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
  const char* operation = nullptr;
  const uint32_t* word = nullptr;  // at_grid: until it is no longer `old`
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

}  // namespace forger::emulation
