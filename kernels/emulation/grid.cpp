#include "kernels/emulation/grid.h"

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "kernels/common/errors.h"
#include "kernels/common/philox.h"
#include "kernels/emulation/block.h"

namespace forger::emulation {

constinit thread_local Dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace {

constexpr unsigned kMaxThreads = 1024;
constexpr size_t kMaxSharedBytes = 227 << 10;  // Hopper; a kernel for 8.0 checks its own limit of 163 KiB
constexpr unsigned kMaxGridYZ = 65535;
constexpr uint64_t kMaxTogether = 132 * 16;  // blocks that a GPU holds at once
constexpr size_t kSpareStacks = 1024;        // of the largest block

thread_local std::vector<Stack> spare_stacks;  // kept from launch to launch

}  // namespace

constinit thread_local Grid* active = nullptr;

Grid::Grid(Dim3 grid, Dim3 block, size_t shared_bytes, Body body, const Options& options, size_t blocks_at_once)
    : body_(body), options_(options), shared_bytes_(shared_bytes), blocks_(blocks_at_once) {
  gridDim = grid;
  blockDim = block;
  const size_t threads = size_t{block.x} * block.y * block.z;
  if (__tsan_get_current_fiber) scheduler_.tsan = __tsan_get_current_fiber();
  for (Block& b : blocks_) {
    b.threads.resize(threads);
    b.warps.resize((threads + kWarpSize - 1) / kWarpSize);
    size_t i = 0;
    for (unsigned z = 0; z < block.z; ++z) {
      for (unsigned y = 0; y < block.y; ++y) {
        for (unsigned x = 0; x < block.x; ++x) b.threads[i++].index = {x, y, z};
      }
    }
    for (Thread& t : b.threads) {
      if (spare_stacks.empty()) spare_stacks.emplace_back();
      b.stacks.push_back(std::move(spare_stacks.back()));
      spare_stacks.pop_back();
      if (__tsan_create_fiber) t.fiber.tsan = __tsan_create_fiber(0);
    }
  }
}

Grid::~Grid() {
  for (Block& b : blocks_) {
    for (Stack& stack : b.stacks) {
      if (spare_stacks.size() < kSpareStacks) spare_stacks.push_back(std::move(stack));
    }
    if (!__tsan_destroy_fiber) continue;
    // Threads that an error left waiting said so at their barriers; what they did is over.
    for (char& sync : b.sync) __tsan_acquire(&sync);
    for (Warp& warp : b.warps) {
      for (auto& slots : warp.slots) __tsan_acquire(slots);
    }
    for (Thread& t : b.threads) __tsan_destroy_fiber(t.fiber.tsan);
  }
}

void Grid::enter(boost::context::detail::transfer_t transfer) {
  Grid& grid = *active;
  Thread& self = *grid.current_;
  entered_fiber(self.fiber, grid.scheduler_, transfer);
  if (__tsan_acquire) __tsan_acquire(&grid.block_->begin);
  grid.body_.call(grid.body_.closure);
  async_commit();  // hardware finishes what nobody waits for, too
  async_wait(0);
  self.state = State::done;
  if (__tsan_release) __tsan_release(&grid.block_->end);
  leave_fiber(self.fiber, grid.scheduler_);
}

Grid::Order Grid::order(unsigned count) {
  Order indices;
  for (unsigned i = 0; i < count; ++i) {
    indices[i] = static_cast<uint8_t>(options_.order == ThreadOrder::backward ? count - 1 - i : i);
  }
  if (options_.order != ThreadOrder::shuffled) return indices;
  ++shuffles_;
  for (unsigned i = count; i > 1; --i) {
    std::swap(indices[i - 1], indices[philox_below(philox_block(options_.seed, shuffles_, 0, i).v[0], i)]);
  }
  return indices;
}

template <class F>
void Grid::for_blocks(uint64_t count, F f) const {
  if (options_.order != ThreadOrder::shuffled) {
    for (uint64_t i = 0; i < count; ++i) f(options_.order == ThreadOrder::backward ? count - 1 - i : i);
    return;
  }
  std::vector<uint64_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0);
  for (uint64_t i = count; i > 1; --i) {
    const auto below = static_cast<uint32_t>(std::min<uint64_t>(i, UINT32_MAX));
    std::swap(numbers[i - 1], numbers[philox_below(philox_block(options_.seed, i, 1, 0).v[0], below)]);
  }
  for (const uint64_t i : numbers) f(i);
}

void Grid::run_thread(Thread& thread) {
  current_ = &thread;
  threadIdx = thread.index;
  switch_fiber(scheduler_, thread.fiber, false);
}

std::string Grid::place(const Thread& t) const {
  return fmt::format("block ({}, {}, {}) thread ({}, {}, {})", blockIdx.x, blockIdx.y, blockIdx.z, t.index.x, t.index.y,
                     t.index.z);
}

/// Runs one warp until all its lanes wait at the block's barrier or have returned, or some wait for another block.
void Grid::run_warp(unsigned warp) {
  const unsigned first = warp * kWarpSize,
                 count = std::min<unsigned>(kWarpSize, static_cast<unsigned>(block_->threads.size()) - first);
  const std::span lanes(block_->threads.data() + first, count);
  const auto find = [&](State state) {
    return std::find_if(lanes.begin(), lanes.end(), [=](const Thread& t) { return t.state == state; });
  };
  while (true) {
    const Order turns = order(count);
    for (unsigned i = 0; i < count; ++i) {
      if (lanes[turns[i]].state == State::ready) run_thread(lanes[turns[i]]);
    }
    const auto waiting = find(State::at_warp);
    if (waiting == lanes.end()) return;
    const Thread& one = *waiting;
    if (const auto missing = find(State::at_block); missing != lanes.end()) {
      fail<Error>("emulation: {} waits for its warp at {}, {} at __syncthreads", place(one), one.operation, place(*missing));
    }
    if (find(State::at_grid) != lanes.end()) return;
    // The slots of the last exchange; the 8-bit count may have wrapped to 0.
    auto& slots = block_->warps[warp].slots[(one.exchanges + 1) % 2];
    for (Thread& other : lanes) {
      if (other.state == State::done) std::fill_n(slots[&other - lanes.data()], kWarpSlotBytes, std::byte{0xFF});
      if (other.state != State::at_warp) continue;
      if (other.operation != one.operation) {
        fail<Error>("emulation: {} is at {}, {} of the same warp at {}", place(one), one.operation, place(other),
                    other.operation);
      }
      other.state = State::ready;
    }
  }
}

Dim3 Grid::index_of(uint64_t number) const {
  const uint64_t rest = number / gridDim.x;
  return {static_cast<unsigned>(number % gridDim.x), static_cast<unsigned>(rest % gridDim.y),
          static_cast<unsigned>(rest / gridDim.y)};
}

void Grid::start_block(Block& block, Dim3 index) {
  block.index = index;
  // Fresh memory for every block, so that AddressSanitizer knows its size; NaN, so that nobody relies on zeros.
  block.shared = std::make_unique_for_overwrite<std::byte[]>(std::max<size_t>(shared_bytes_, 1));
  std::fill_n(block.shared.get(), shared_bytes_, std::byte{0xFF});
  for (size_t i = 0; i < block.threads.size(); ++i) {
    Thread& t = block.threads[i];
    t.fiber.context = boost::context::detail::make_fcontext(block.stacks[i].top(), Stack::kBytes, enter);
    t.fiber.stack_base = block.stacks[i].base();
    t.fiber.stack_bytes = Stack::kBytes;
    t.fiber.fake_stack = nullptr;
    t.state = State::ready;
    t.exchanges = t.barriers = 0;
    t.operation = nullptr;
    t.began = false;
  }
  block.started = true;
  if (__tsan_release) __tsan_release(&block.begin);
}

/// Runs a block until it is done (true) or waits for another.
bool Grid::advance_block(Block& block) {
  block_ = &block;
  blockIdx = block.index;
  while (true) {
    for (Thread& t : block.threads) {
      if (t.state == State::at_grid && *t.word != t.old) t.state = State::ready;
    }
    const Order turns = order(static_cast<unsigned>(block.warps.size()));
    for (size_t i = 0; i < block.warps.size(); ++i) run_warp(turns[i]);
    bool all_done = true, waits = false;
    for (const Thread& t : block.threads) {
      all_done = all_done && t.state == State::done;
      waits = waits || (t.state == State::at_grid && *t.word == t.old);
    }
    if (all_done) break;
    if (waits) return false;
    block.outcome = std::exchange(block.votes, false);
    for (Thread& t : block.threads) {
      if (t.state == State::at_block) t.state = State::ready;
    }
  }
  if (__tsan_acquire) __tsan_acquire(&block.end);
  for (const Thread& t : block.threads) {
    if (!t.began) fail<Error>("emulation: {} does something before begin_kernel(), or never calls it", place(t));
  }
  return true;
}

void Grid::run_one_by_one() {
  for_blocks(uint64_t{gridDim.x} * gridDim.y * gridDim.z, [&](uint64_t i) {
    Block& block = blocks_[0];
    start_block(block, index_of(i));
    if (!advance_block(block)) {
      const auto waiting =
          std::find_if(block.threads.begin(), block.threads.end(), [](const Thread& t) { return t.state == State::at_grid; });
      fail<Error>("emulation: {} waits for another block, which only blocks of a cooperative launch may", place(*waiting));
    }
  });
}

void Grid::run_together() {
  std::vector<Block*> left;
  for_blocks(blocks_.size(), [&](uint64_t i) {
    blocks_[i].index = index_of(i);
    left.push_back(&blocks_[i]);
  });
  while (!left.empty()) {
    bool progress = false;
    for (Block*& block : left) {
      const auto may_go = [](const Thread& t) { return t.state == State::at_grid && *t.word != t.old; };
      if (!block->started) {
        start_block(*block, block->index);
      } else if (std::none_of(block->threads.begin(), block->threads.end(), may_go)) {
        continue;
      }
      progress = true;
      if (advance_block(*block)) block = nullptr;
    }
    std::erase(left, nullptr);
    if (!progress) fail<Error>("emulation: {} of {} blocks wait for each other for ever", left.size(), blocks_.size());
  }
}

void run_grid(Dim3 grid, Dim3 block, size_t shared_bytes, Body body, const Options& options, bool cooperative) {
  const unsigned threads = block.x * block.y * block.z;
  if (threads == 0 || threads > kMaxThreads)
    fail<Error>("emulation: a block has {} threads, 1 to {} are possible", threads, kMaxThreads);
  if (shared_bytes > kMaxSharedBytes)
    fail<Error>("emulation: {} bytes of shared memory, at most {} are possible", shared_bytes, kMaxSharedBytes);
  if (grid.x == 0 || grid.x > 0x7FFFFFFFu || grid.y == 0 || grid.y > kMaxGridYZ || grid.z == 0 || grid.z > kMaxGridYZ) {
    fail<Error>("emulation: a grid of {} x {} x {} blocks is not possible", grid.x, grid.y, grid.z);
  }
  const uint64_t blocks = uint64_t{grid.x} * grid.y * grid.z;
  if (cooperative && blocks > kMaxTogether)
    fail<Error>("emulation: {} blocks together, at most {} are possible", blocks, kMaxTogether);
  Grid state(grid, block, shared_bytes, body, options, cooperative ? blocks : 1);
  struct Activate {
    explicit Activate(Grid* grid) { active = grid; }
    ~Activate() { active = nullptr; }
  } const activate(&state);
  cooperative ? state.run_together() : state.run_one_by_one();
}

}  // namespace forger::emulation
