// The threads of the CPU kernels: one pool for the whole process.
//
// A parallel loop is cut into pieces, and threads take pieces as they come, so that a thread that the operating system
// suspends delays one piece and not a fixed share of the loop. Threads that wait spin for a few microseconds and then
// sleep: on a busy machine a thread that spins takes time from the one that it waits for. A loop ends when its pieces
// have ended; threads that did not wake up in time are not waited for.
//
// Which thread computes a piece depends on timing. Results do not, as long as a piece writes to its own outputs: sums
// over pieces are the caller's to add, in order, after the loop.
#pragma once

#include <cstdint>
#include <type_traits>

namespace forger {

/// Returns how many threads a loop may use, the caller included. At first: OMP_NUM_THREADS where it is set to a number,
/// otherwise the number of CPUs that the process may run on.
int num_threads();

/// Sets it, at least 1. Kernels size their workspace by it when they are made.
void set_num_threads(int threads);

namespace threads {

using Piece = void (*)(const void* body, int64_t piece, int slot);

/// The part of parallel_for() that does not depend on the type of the body.
void run(int64_t count, Piece piece, const void* body, int threads);

/// For tests: every thread calls this function, if not null, before each piece, so as to upset their order.
void set_delay(void (*delay)(int64_t piece, int slot));

}  // namespace threads

/// Calls body(piece) or body(piece, slot) once for each piece of [0, count), on up to `threads` threads. Returns when all
/// calls have returned. No two calls that run at once have one slot, and 0 <= slot < threads: it numbers scratch memory.
/// The body must not throw. A loop within a loop, or beside another thread's loop, runs on its calling thread, as slot 0.
template <class Body>
void parallel_for(int64_t count, const Body& body, int threads = num_threads()) {
  threads::run(
      count,
      [](const void* b, int64_t piece, int slot) {
        if constexpr (std::is_invocable_v<const Body&, int64_t, int>) {
          (*static_cast<const Body*>(b))(piece, slot);
        } else {
          (*static_cast<const Body*>(b))(piece);
        }
      },
      &body, threads);
}

}  // namespace forger
