// The thread pool: every piece once, whoever takes it, and no thread touches a loop that has ended.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

#include "kernels/threads/pool.h"

using namespace forger;

namespace {

/// Restores the number of threads, and ends a delay.
struct Restore {
  int threads = num_threads();
  ~Restore() {
    set_num_threads(threads);
    threads::set_delay(nullptr);
  }
};

/// Runs one loop and returns how often each of its pieces was called.
std::vector<int> calls_of_pieces(int64_t count) {
  std::vector<std::atomic<int>> calls(static_cast<size_t>(count));
  parallel_for(count, [&](int64_t piece) { calls[static_cast<size_t>(piece)].fetch_add(1, std::memory_order_relaxed); });
  return {calls.begin(), calls.end()};
}

bool all_once(const std::vector<int>& calls) {
  return std::all_of(calls.begin(), calls.end(), [](int n) { return n == 1; });
}

void nap() {
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

}  // namespace

TEST_CASE("threads: every piece is called once, for any number of threads and pieces") {
  const Restore restore;
  for (const int threads : {1, 2, 3, 16, 2, 5}) {  // 16: more than this machine has cores
    set_num_threads(threads);
    CHECK(num_threads() == threads);
    for (const int64_t count : {0, 1, 2, 3, 17, 1000}) {
      CAPTURE(threads);
      CAPTURE(count);
      for (int repeat = 0; repeat < 50; ++repeat) REQUIRE(all_once(calls_of_pieces(count)));
    }
  }
}

TEST_CASE("threads: a slot belongs to one thread at a time and is below the number of threads") {
  const Restore restore;
  for (const int threads : {2, 4, 3}) {
    set_num_threads(threads);
    std::vector<std::atomic<int>> users(static_cast<size_t>(threads));
    std::atomic<int> shared{0}, outside{0};
    parallel_for(400, [&](int64_t, int slot) {
      if (slot < 0 || slot >= threads) {
        ++outside;
        return;
      }
      auto& user = users[static_cast<size_t>(slot)];
      if (user.fetch_add(1) != 0) ++shared;
      std::this_thread::yield();
      user.fetch_sub(1);
    });
    CHECK(outside == 0);
    CHECK(shared == 0);
  }
}

TEST_CASE("threads: several threads share the work") {
  const Restore restore;
  set_num_threads(3);
  std::vector<std::atomic<int>> pieces(3);
  parallel_for(30, [&](int64_t, int slot) {
    pieces[static_cast<size_t>(slot)]++;
    nap();  // time enough for all threads to wake up
  });
  for (const auto& n : pieces) CHECK(n > 0);
}

TEST_CASE("threads: a loop within a loop runs on its own thread") {
  const Restore restore;
  set_num_threads(4);
  std::atomic<int> pieces{0}, elsewhere{0};
  parallel_for(20, [&](int64_t) {
    const auto self = std::this_thread::get_id();
    parallel_for(10, [&](int64_t, int slot) {
      ++pieces;
      if (slot != 0 || std::this_thread::get_id() != self) ++elsewhere;
    });
  });
  CHECK(pieces == 200);
  CHECK(elsewhere == 0);
}

TEST_CASE("threads: loops of several threads at once") {
  const Restore restore;
  set_num_threads(3);
  std::atomic<int> wrong{0};
  std::vector<std::thread> users;
  for (int user = 0; user < 4; ++user) {
    users.emplace_back([&] {
      for (int repeat = 0; repeat < 300; ++repeat) {
        if (!all_once(calls_of_pieces(1 + repeat % 40))) ++wrong;
      }
    });
  }
  for (auto& user : users) user.join();
  CHECK(wrong == 0);
}

TEST_CASE("threads: whoever comes late finds nothing") {
  const Restore restore;
  set_num_threads(4);
  // The loop's variables are gone, and others stand in their place, when a thread that was slow to wake up arrives.
  for (int repeat = 0; repeat < 3000; ++repeat) {
    std::vector<int64_t> out(static_cast<size_t>(2 + repeat % 7), -1);
    parallel_for(static_cast<int64_t>(out.size()), [&](int64_t piece) { out[static_cast<size_t>(piece)] = piece + repeat; });
    for (size_t i = 0; i < out.size(); ++i) REQUIRE(out[i] == static_cast<int64_t>(i) + repeat);
    std::fill(out.begin(), out.end(), -1);
    if (repeat % 100 == 0) nap();  // threads fall asleep
    REQUIRE(std::count(out.begin(), out.end(), -1) == static_cast<int64_t>(out.size()));
  }
}

TEST_CASE("threads: a delayed thread holds up its own piece only") {
  const Restore restore;
  set_num_threads(2);
  static std::atomic<int> slow_pieces;
  slow_pieces = 0;
  threads::set_delay([](int64_t, int slot) {
    if (slot != 1) return;
    ++slow_pieces;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  });
  std::atomic<int> done{0};
  parallel_for(200, [&](int64_t) {
    ++done;
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  });
  CHECK(done == 200);
  CHECK(slow_pieces < 20);  // a fixed half would be 100
}
