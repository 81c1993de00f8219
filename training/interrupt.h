// Ctrl-C and SIGTERM: a request to stop after the step in progress.
#pragma once

namespace forger {

/// While one lives, SIGINT and SIGTERM set a flag instead of ending the process. A second signal ends it at once. One within
/// another changes nothing.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  static bool requested();
};

}  // namespace forger
