// What code that runs as a CUDA thread calls (the second half of grid.h).
#include <utility>

#include "kernels/emulation/block.h"

namespace forger::emulation {
namespace {

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

}  // namespace

/// Leaves the current thread until the scheduler continues it.
void Grid::wait(State state, const char* operation) {
  Thread& self = *current_;
  self.state = state;
  self.operation = operation;
  // ThreadSanitizer: what any thread did before the barrier happened before what any does after it. Two addresses in
  // turn, because a thread may arrive at the next barrier before another has left this one.
  void* const sync = state == State::at_warp ? static_cast<void*>(block_->warps[warp_of(self)].slots[self.exchanges++ % 2])
                                             : static_cast<void*>(&block_->sync[self.barriers++ % 2]);
  if (__tsan_release) __tsan_release(sync);
  switch_fiber(self.fiber, scheduler_, false);
  if (__tsan_acquire) __tsan_acquire(sync);
}

bool Grid::vote(bool mine) {
  Block& block = *block_;
  block.votes = block.votes || mine;
  wait(State::at_block, "__syncthreads_or");
  return block.outcome;
}

void Grid::wait_for_change(const uint32_t* word, uint32_t old) {
  Thread& self = *current_;
  if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != old) return;
  self.word = word;
  self.old = old;
  self.state = State::at_grid;
  self.operation = "a wait for another block";
  switch_fiber(self.fiber, scheduler_, false);
  (void)__atomic_load_n(word, __ATOMIC_ACQUIRE);  // for ThreadSanitizer: what came before the change is visible
}

const std::byte* Grid::exchange(const void* mine, size_t bytes, const char* operation) {
  Thread& self = *current_;
  std::byte(*slots)[kWarpSlotBytes] = block_->warps[warp_of(self)].slots[self.exchanges % 2];
  copy_bytes(slots[lane()], static_cast<const std::byte*>(mine), bytes);
  wait(State::at_warp, operation);
  return slots[0];
}

void Grid::begin() {
  current_->began = !current_->operation && current_->copies.empty();
}

void begin_kernel() {
  active->begin();
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

void wait_for_change(const uint32_t* word, uint32_t old) {
  active->wait_for_change(word, old);
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
