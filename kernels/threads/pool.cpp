#include "kernels/threads/pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace forger {
namespace {

constexpr int kMaxThreads = 1024;

/// How long a thread spins before it sleeps. From 20 to 200 microseconds steps are as fast, quiet or busy; without, 5 % slower.
constexpr std::chrono::microseconds kSpin{50};

int initial_threads() {
  if (const char* const text = std::getenv("OMP_NUM_THREADS")) {
    const int wanted = std::atoi(text);
    if (wanted > 0) return std::min(wanted, kMaxThreads);
  }
  cpu_set_t cpus;
  if (sched_getaffinity(0, sizeof cpus, &cpus) == 0) return std::max(CPU_COUNT(&cpus), 1);
  return std::max(static_cast<int>(std::thread::hardware_concurrency()), 1);
}

std::atomic<int>& thread_count() {
  static std::atomic<int> count{initial_threads()};
  return count;
}

std::atomic<void (*)(int64_t, int)> g_delay{nullptr};

thread_local bool t_in_loop = false;

void run_piece(threads::Piece piece, const void* body, int64_t i, int slot) {
  if (const auto delay = g_delay.load(std::memory_order_relaxed)) delay(i, slot);
  piece(body, i, slot);
}

/// Where one thread waits for a condition that others make true and then call wake().
class alignas(64) Sleeper {
 public:
  template <class Condition>
  void wait(const Condition& condition) {
    const auto start = std::chrono::steady_clock::now();
    do {
      for (int i = 0; i < 16; ++i) {
        if (condition()) return;
        __builtin_ia32_pause();
      }
    } while (std::chrono::steady_clock::now() - start < kSpin);
    for (;;) {
      // Sequentially consistent, as in wake(): either this thread sees the condition or the other one sees it asleep.
      asleep_.store(1);
      if (condition()) break;
      asleep_.wait(1);
    }
    asleep_.store(0);
  }

  void wake() {
    if (asleep_.load() == 1 && asleep_.exchange(0) == 1) asleep_.notify_one();
  }

 private:
  std::atomic<int> asleep_{0};
};

/// One loop at a time, and the threads that take its pieces.
///
/// `state_` holds the loop's number and how many pieces are left to take, so that one compare-and-swap takes a piece and
/// fails if the loop is another one by then. A loop cannot end between the swap and the end of its piece: what a thread read
/// about the loop before its swap succeeded is still true afterwards. A thread that comes late finds no piece left and
/// reads nothing but members of the pool.
///
/// The swap only promises a piece. Which one: each slot has a range of its own, the same in every loop over as many
/// pieces, whose data its core's caches are likely to hold; then it takes from the others' ranges.
class Pool {
 public:
  /// Never destroyed: its threads sleep until the process ends.
  static Pool& instance() {
    static Pool* const pool = new Pool;
    return *pool;
  }

  bool run(int64_t count, threads::Piece piece, const void* body, int threads) {
    const std::unique_lock lock(busy_, std::try_to_lock);
    if (!lock.owns_lock()) return false;
    start_workers(threads - 1);
    piece_.store(piece, std::memory_order_relaxed);
    body_.store(body, std::memory_order_relaxed);
    count_.store(count, std::memory_order_relaxed);
    threads_.store(threads, std::memory_order_relaxed);
    finished_.store(0, std::memory_order_relaxed);
    const int64_t ranges = std::min<int64_t>(threads, count);
    ranges_used_.store(static_cast<int>(ranges), std::memory_order_relaxed);
    for (int64_t r = 0; r < ranges; ++r) {
      ranges_[static_cast<size_t>(r)].next.store(count * r / ranges, std::memory_order_relaxed);
      ranges_[static_cast<size_t>(r)].end.store(count * (r + 1) / ranges, std::memory_order_relaxed);
    }
    state_.store((state_.load(std::memory_order_relaxed) >> kCountBits << kCountBits) + (uint64_t{1} << kCountBits) +
                 static_cast<uint64_t>(count));
    const auto helpers = std::min<int64_t>({count - 1, threads - 1, static_cast<int64_t>(workers_.size())});
    for (int64_t i = 0; i < helpers; ++i) workers_[static_cast<size_t>(i)]->wake();
    take_pieces(0);
    caller_.wait([&] { return finished_.load() == count; });
    return true;
  }

  static constexpr int kCountBits = 32;

 private:
  static uint64_t left(uint64_t state) { return state & ((uint64_t{1} << kCountBits) - 1); }

  void start_workers(int wanted) {
    try {
      while (static_cast<int>(workers_.size()) < wanted) {
        workers_.push_back(std::make_unique<Sleeper>());
        const int slot = static_cast<int>(workers_.size());
        std::thread([this, slot, sleeper = workers_.back().get()] { work(slot, *sleeper); }).detach();
      }
    } catch (const std::system_error&) {
      workers_.pop_back();  // the system allows no more threads: go on with those that there are
    }
  }

  void work(int slot, Sleeper& sleeper) {
    for (;;) {
      sleeper.wait([&] { return left(state_.load()) > 0 && slot < threads_.load(std::memory_order_relaxed); });
      take_pieces(slot);
    }
  }

  void take_pieces(int slot) {
    t_in_loop = true;
    int64_t taken = 0, count = 0;
    for (uint64_t state = state_.load(); left(state) > 0 && slot < threads_.load(std::memory_order_relaxed);) {
      const threads::Piece piece = piece_.load(std::memory_order_relaxed);
      const void* const body = body_.load(std::memory_order_relaxed);
      const int64_t of = count_.load(std::memory_order_relaxed);
      if (!state_.compare_exchange_weak(state, state - 1)) continue;
      count = of;
      run_piece(piece, body, next_piece(slot), slot);
      ++taken;
      state = state_.load();
    }
    t_in_loop = false;
    // The loop cannot have ended, and no other one begun, before these pieces count as finished.
    if (taken > 0 && finished_.fetch_add(taken) + taken == count && slot != 0) caller_.wake();
  }

  /// Takes the piece that state_ has promised.
  int64_t next_piece(int slot) {
    const int ranges = ranges_used_.load(std::memory_order_relaxed);
    for (int r = slot % ranges;; r = (r + 1) % ranges) {
      Range& range = ranges_[static_cast<size_t>(r)];
      const int64_t end = range.end.load(std::memory_order_relaxed);
      if (range.next.load(std::memory_order_relaxed) >= end) continue;
      const int64_t piece = range.next.fetch_add(1, std::memory_order_relaxed);
      if (piece < end) return piece;
    }
  }

  struct alignas(64) Range {
    std::atomic<int64_t> next{0}, end{0};
  };

  std::mutex busy_;
  std::vector<std::unique_ptr<Sleeper>> workers_;  // of slots 1, 2, ...
  std::vector<Range> ranges_{kMaxThreads};
  std::atomic<int> ranges_used_{0};
  Sleeper caller_;
  alignas(64) std::atomic<uint64_t> state_{0};
  std::atomic<threads::Piece> piece_{nullptr};
  std::atomic<const void*> body_{nullptr};
  std::atomic<int64_t> count_{0};
  std::atomic<int> threads_{0};
  alignas(64) std::atomic<int64_t> finished_{0};
};

}  // namespace

int num_threads() {
  return thread_count().load(std::memory_order_relaxed);
}

void set_num_threads(int threads) {
  thread_count().store(std::clamp(threads, 1, kMaxThreads), std::memory_order_relaxed);
}

namespace threads {

void run(int64_t count, Piece piece, const void* body, int threads) {
  const bool fits = count < (int64_t{1} << Pool::kCountBits);
  if (count > 1 && threads > 1 && fits && !t_in_loop && Pool::instance().run(count, piece, body, threads)) return;
  for (int64_t i = 0; i < count; ++i) run_piece(piece, body, i, 0);
}

void set_delay(void (*delay)(int64_t, int)) {
  g_delay.store(delay, std::memory_order_relaxed);
}

}  // namespace threads
}  // namespace forger
