#include "kernels/emulation/fiber.h"

#include <sys/mman.h>

#include <cstdlib>

#include "kernels/common/errors.h"

namespace forger::emulation {
namespace {

constexpr size_t kGuardBytes = 4096;  // below the stack: overflow ends the process instead of corrupting a neighbour
constexpr unsigned kNoSync = 1;       // __tsan_switch_to_fiber_no_sync

void announce_switch([[maybe_unused]] Fiber& from, Fiber& to, bool synchronise, [[maybe_unused]] bool last) {
  if (__tsan_switch_to_fiber) __tsan_switch_to_fiber(to.tsan, synchronise ? 0 : kNoSync);
#if FORGER_ASAN
  __sanitizer_start_switch_fiber(last ? nullptr : &from.fake_stack, to.stack_base, to.stack_bytes);
#endif
}

void announce_arrival([[maybe_unused]] Fiber& self, [[maybe_unused]] Fiber* from) {
#if FORGER_ASAN
  const void* base = nullptr;
  size_t bytes = 0;
  __sanitizer_finish_switch_fiber(self.fake_stack, &base, &bytes);
  if (from && !from->stack_base) {
    from->stack_base = base;
    from->stack_bytes = bytes;
  }
#endif
}

}  // namespace

Stack::Stack() {
  void* memory = mmap(nullptr, kBytes + kGuardBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) fail<Error>("emulation: no memory for a thread's stack");
  mprotect(memory, kGuardBytes, PROT_NONE);
  base_ = static_cast<std::byte*>(memory) + kGuardBytes;
}

Stack::~Stack() {
  if (base_) munmap(base_ - kGuardBytes, kBytes + kGuardBytes);
}

void switch_fiber(Fiber& from, Fiber& to, bool synchronise) {
  announce_switch(from, to, synchronise, false);
  const auto transfer = boost::context::detail::jump_fcontext(to.context, &from);
  static_cast<Fiber*>(transfer.data)->context = transfer.fctx;
  announce_arrival(from, static_cast<Fiber*>(transfer.data));
}

void entered_fiber(Fiber& self, Fiber& from, boost::context::detail::transfer_t transfer) {
  from.context = transfer.fctx;
  announce_arrival(self, &from);
}

void leave_fiber(Fiber& from, Fiber& to) {
  announce_switch(from, to, false, true);
  boost::context::detail::jump_fcontext(to.context, &from);
  std::abort();  // a finished fiber is never continued
}

}  // namespace forger::emulation
