// A kernel timed alone, on buffers of its own.
#pragma once

#include <functional>

#include "engine/providers/provider.h"
#include "engine/runtime/device.h"

namespace forger {

struct Timing {
  double median = 0, min = 0, max = 0;  // milliseconds of one launch
};

/// Times launch(i), i = 0, 1, ..., in samples of about 2 ms. On a GPU the launches are recorded and replayed, so that the
/// host's part is not in the time.
Timing time_launches(Device& device, int64_t samples, const std::function<void(int64_t)>& launch);

struct KernelTiming {
  Timing warm;  // the same buffers again and again
  Timing cold;  // buffers that the caches have lost
};

/// On inputs that are numbers in [0.01, 1), or zeros where they are counters, rows or labels. `view`: what the kernel was
/// prepared for. Throws what the kernel throws.
KernelTiming time_kernel(const NodeView& view, const PreparedKernel& kernel, Device& device, int64_t samples);

}  // namespace forger
