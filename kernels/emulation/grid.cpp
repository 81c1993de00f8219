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
#include "kernels/emulation/fiber.h"

namespace forger::emulation {

constinit thread_local Dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace {

constexpr unsigned kMaxThreads = 1024;
constexpr size_t kMaxSharedBytes = 227 << 10;  // Hopper; a kernel for 8.0 checks its own limit of 163 KiB
constexpr unsigned kMaxGridYZ = 65535;

enum class State : uint8_t { ready, at_warp, at_block, done };

struct AsyncCopy {
  std::byte* shared;
  const std::byte* global;
  size_t bytes;
  bool valid;
};

// The emulator moves bytes by hand: ThreadSanitizer watches memcpy, and would take the emulator's own bookkeeping for
// something that CUDA threads do.
void copy_bytes(std::byte* to, const std::byte* from, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) const_cast<volatile std::byte*>(to)[i] = from[i];
}

void perform(const AsyncCopy& copy) {
  if (__tsan_write_range) {
    if (copy.valid) __tsan_read_range(const_cast<std::byte*>(copy.global), copy.bytes);
    __tsan_write_range(copy.shared, copy.bytes);
  }
  for (size_t i = 0; i < copy.bytes; ++i) copy.shared[i] = copy.valid ? copy.global[i] : std::byte{0};
}

struct Thread {
  Fiber fiber;
  Dim3 index;
  State state = State::done;
  uint8_t exchanges = 0, barriers = 0;  // their parity chooses among two slots: see wait()
  const char* operation = nullptr;
  std::vector<AsyncCopy> copies;
  std::vector<size_t> groups;  // sizes of the committed groups, oldest first
  size_t uncommitted = 0;
};

struct Warp {
  alignas(64) std::byte slots[2][kWarpSize][kWarpSlotBytes];
};

/// The blocks of one launch, one after another; its fibers are used again for the next.
class Grid {
 public:
  Grid(Dim3 grid, Dim3 block, size_t shared_bytes, Body body, const Options& options)
      : body_(body),
        options_(options),
        shared_bytes_(shared_bytes),
        warps_((block.x * block.y * block.z + kWarpSize - 1) / kWarpSize) {
    gridDim = grid;
    blockDim = block;
    threads_.resize(block.x * block.y * block.z);
    size_t i = 0;
    for (unsigned z = 0; z < block.z; ++z) {
      for (unsigned y = 0; y < block.y; ++y) {
        for (unsigned x = 0; x < block.x; ++x) threads_[i++].index = {x, y, z};
      }
    }
    if (__tsan_get_current_fiber) {
      scheduler_.tsan = __tsan_get_current_fiber();
      for (Thread& t : threads_) t.fiber.tsan = __tsan_create_fiber(0);
    }
  }
  ~Grid() {
    if (!__tsan_destroy_fiber) return;
    // Threads that an error left waiting said so at their barriers; what they did is over.
    for (char& sync : block_sync_) __tsan_acquire(&sync);
    for (Warp& warp : warps_) {
      for (auto& slots : warp.slots) __tsan_acquire(slots);
    }
    for (Thread& t : threads_) __tsan_destroy_fiber(t.fiber.tsan);
  }
  Grid(const Grid&) = delete;
  Grid& operator=(const Grid&) = delete;

  void run_block(Dim3 index);
  /// Calls f with the number of every block, in the order of the options.
  template <class F>
  void for_blocks(uint64_t count, F f) const;

  void* shared() { return shared_.get(); }
  void wait(State state, const char* operation);
  const std::byte* exchange(const void* mine, size_t bytes, const char* operation);
  bool vote(bool mine);
  Thread& current() { return *current_; }
  unsigned lane() const { return static_cast<unsigned>(current_ - threads_.data()) % kWarpSize; }
  bool copies_early() const { return options_.copy_early; }

 private:
  static void enter(boost::context::detail::transfer_t transfer);
  using Order = std::array<uint8_t, kWarpSize>;  // of lanes, or of warps: there are at most 32 of both
  Order order(unsigned count);
  void run_warp(unsigned warp);
  void run_thread(Thread& thread);
  std::string place(const Thread& t) const;
  unsigned warp_of(const Thread& t) const { return static_cast<unsigned>(&t - threads_.data()) / kWarpSize; }

  Body body_;
  const Options& options_;
  size_t shared_bytes_;
  std::unique_ptr<std::byte[]> shared_;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  Fiber scheduler_;
  Thread* current_ = nullptr;
  uint32_t shuffles_ = 0;
  bool votes_ = false, outcome_ = false;  // of the barrier that threads arrive at, and of the one before it
  // Addresses that stand for the barrier (see wait()), and for the beginning and the end of the block.
  char block_sync_[2] = {}, begin_sync_ = 0, end_sync_ = 0;
};

thread_local Grid* active = nullptr;
thread_local std::vector<Stack> stacks;  // kept from launch to launch

void Grid::enter(boost::context::detail::transfer_t transfer) {
  Grid& grid = *active;
  Thread& self = *grid.current_;
  entered_fiber(self.fiber, grid.scheduler_, transfer);
  if (__tsan_acquire) __tsan_acquire(&grid.begin_sync_);
  grid.body_.call(grid.body_.closure);
  async_commit();  // hardware finishes what nobody waits for, too
  async_wait(0);
  self.state = State::done;
  if (__tsan_release) __tsan_release(&grid.end_sync_);
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

/// Runs one warp until all its lanes wait at the block's barrier or have returned.
void Grid::run_warp(unsigned warp) {
  const unsigned first = warp * kWarpSize, count = std::min<unsigned>(kWarpSize, static_cast<unsigned>(threads_.size()) - first);
  const std::span lanes(threads_.data() + first, count);
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
    auto& slots = warps_[warp].slots[(one.exchanges - 1) % 2];
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

void Grid::run_block(Dim3 index) {
  blockIdx = index;
  // Fresh memory for every block, so that AddressSanitizer knows its size; NaN, so that nobody relies on zeros.
  shared_ = std::make_unique_for_overwrite<std::byte[]>(std::max<size_t>(shared_bytes_, 1));
  std::fill_n(shared_.get(), shared_bytes_, std::byte{0xFF});
  while (stacks.size() < threads_.size()) stacks.emplace_back();
  for (size_t i = 0; i < threads_.size(); ++i) {
    Thread& t = threads_[i];
    t.fiber.context = boost::context::detail::make_fcontext(stacks[i].top(), Stack::kBytes, enter);
    t.fiber.stack_base = stacks[i].base();
    t.fiber.stack_bytes = Stack::kBytes;
    t.fiber.fake_stack = nullptr;
    t.state = State::ready;
    t.exchanges = t.barriers = 0;
  }
  if (__tsan_release) __tsan_release(&begin_sync_);
  const auto is_done = [](const Thread& t) { return t.state == State::done; };
  while (true) {
    const Order turns = order(static_cast<unsigned>(warps_.size()));
    for (size_t i = 0; i < warps_.size(); ++i) run_warp(turns[i]);
    if (std::all_of(threads_.begin(), threads_.end(), is_done)) break;
    outcome_ = std::exchange(votes_, false);
    for (Thread& t : threads_) {
      if (t.state == State::at_block) t.state = State::ready;
    }
  }
  if (__tsan_acquire) __tsan_acquire(&end_sync_);
}

/// Leaves the current thread until the scheduler continues it.
void Grid::wait(State state, const char* operation) {
  Thread& self = *current_;
  self.state = state;
  self.operation = operation;
  // ThreadSanitizer: what any thread did before the barrier happened before what any does after it. Two addresses in
  // turn, because a thread may arrive at the next barrier before another has left this one.
  void* const sync = state == State::at_warp ? static_cast<void*>(warps_[warp_of(self)].slots[self.exchanges++ % 2])
                                             : static_cast<void*>(&block_sync_[self.barriers++ % 2]);
  if (__tsan_release) __tsan_release(sync);
  switch_fiber(self.fiber, scheduler_, false);
  if (__tsan_acquire) __tsan_acquire(sync);
}

bool Grid::vote(bool mine) {
  votes_ = votes_ || mine;
  wait(State::at_block, "__syncthreads_or");
  return outcome_;
}

const std::byte* Grid::exchange(const void* mine, size_t bytes, const char* operation) {
  Thread& self = *current_;
  std::byte(*slots)[kWarpSlotBytes] = warps_[warp_of(self)].slots[self.exchanges % 2];
  copy_bytes(slots[lane()], static_cast<const std::byte*>(mine), bytes);
  wait(State::at_warp, operation);
  return slots[0];
}

}  // namespace

void run_grid(Dim3 grid, Dim3 block, size_t shared_bytes, Body body, const Options& options) {
  const unsigned threads = block.x * block.y * block.z;
  if (threads == 0 || threads > kMaxThreads)
    fail<Error>("emulation: a block has {} threads, 1 to {} are possible", threads, kMaxThreads);
  if (shared_bytes > kMaxSharedBytes)
    fail<Error>("emulation: {} bytes of shared memory, at most {} are possible", shared_bytes, kMaxSharedBytes);
  if (grid.x == 0 || grid.x > 0x7FFFFFFFu || grid.y == 0 || grid.y > kMaxGridYZ || grid.z == 0 || grid.z > kMaxGridYZ) {
    fail<Error>("emulation: a grid of {} x {} x {} blocks is not possible", grid.x, grid.y, grid.z);
  }
  Grid state(grid, block, shared_bytes, body, options);
  struct Activate {
    explicit Activate(Grid* grid) { active = grid; }
    ~Activate() { active = nullptr; }
  } const activate(&state);
  state.for_blocks(uint64_t{grid.x} * grid.y * grid.z, [&](uint64_t i) {
    state.run_block({static_cast<unsigned>(i % grid.x), static_cast<unsigned>(i / grid.x % grid.y),
                     static_cast<unsigned>(i / grid.x / grid.y)});
  });
}

void* shared_memory() {
  return active->shared();
}

void block_barrier() {
  active->wait(State::at_block, "__syncthreads");
}

bool block_barrier_or(bool mine) {
  return active->vote(mine);
}

const std::byte* warp_exchange(const void* mine, size_t bytes, const char* operation) {
  return active->exchange(mine, bytes, operation);
}

unsigned lane() {
  return active->lane();
}

void async_copy(void* shared, const void* global, size_t bytes, bool valid) {
  const AsyncCopy copy{static_cast<std::byte*>(shared), static_cast<const std::byte*>(global), bytes, valid};
  if (active->copies_early()) return perform(copy);
  active->current().copies.push_back(copy);
  ++active->current().uncommitted;
}

void async_commit() {
  Thread& t = active->current();
  t.groups.push_back(t.uncommitted);
  t.uncommitted = 0;
}

void async_wait(int pending) {
  Thread& t = active->current();
  size_t finished = 0;
  while (t.groups.size() > static_cast<size_t>(pending)) {
    finished += t.groups.front();
    t.groups.erase(t.groups.begin());
  }
  for (size_t i = 0; i < finished; ++i) perform(t.copies[i]);
  t.copies.erase(t.copies.begin(), t.copies.begin() + static_cast<std::ptrdiff_t>(finished));
}

}  // namespace forger::emulation
