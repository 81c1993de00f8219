// A stack and a place in it: Boost.Context's switch, with what the sanitizers must be told about it.
#pragma once

#include <boost/context/detail/fcontext.hpp>
#include <cstddef>

#if defined(__has_feature)
#define FORGER_ASAN __has_feature(address_sanitizer)  // clang
#elif defined(__SANITIZE_ADDRESS__)
#define FORGER_ASAN 1
#else
#define FORGER_ASAN 0
#endif
#if FORGER_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

namespace forger::emulation {

/// ThreadSanitizer's view of a fiber; all null when it is not linked in (the declarations are weak).
extern "C" {
__attribute__((weak)) void* __tsan_get_current_fiber();
__attribute__((weak)) void* __tsan_create_fiber(unsigned flags);
__attribute__((weak)) void __tsan_destroy_fiber(void* fiber);
__attribute__((weak)) void __tsan_switch_to_fiber(void* fiber, unsigned flags);
__attribute__((weak)) void __tsan_acquire(void* address);
__attribute__((weak)) void __tsan_release(void* address);
__attribute__((weak)) void __tsan_read_range(void* address, unsigned long size);
__attribute__((weak)) void __tsan_write_range(void* address, unsigned long size);
}

/// Memory for one fiber's stack, taken from the system when it is first touched.
class Stack {
 public:
  Stack();
  Stack(Stack&& other) noexcept : base_(other.base_) { other.base_ = nullptr; }
  Stack& operator=(Stack&&) = delete;
  ~Stack();
  std::byte* base() const { return base_; }
  std::byte* top() const { return base_ + kBytes; }
#if FORGER_ASAN
  static constexpr size_t kBytes = 256 << 10;
#else
  static constexpr size_t kBytes = 64 << 10;
#endif

 private:
  std::byte* base_ = nullptr;
};

/// One side of a switch.
struct Fiber {
  boost::context::detail::fcontext_t context = nullptr;
  void* tsan = nullptr;
  const void* stack_base = nullptr;  // for AddressSanitizer
  size_t stack_bytes = 0;
  void* fake_stack = nullptr;
};

/// Leaves `from` and continues `to`; returns when something switches back. `synchronise` tells ThreadSanitizer that
/// what happened before is visible after: not so between two CUDA threads.
void switch_fiber(Fiber& from, Fiber& to, bool synchronise);
/// To be called first in a fiber that was entered for the first time, with the transfer that it was given.
void entered_fiber(Fiber& self, Fiber& from, boost::context::detail::transfer_t transfer);
/// Leaves `from` for the last time.
[[noreturn]] void leave_fiber(Fiber& from, Fiber& to);

}  // namespace forger::emulation
