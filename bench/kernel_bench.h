// Kernels timed alone, on the problem sizes of a recipe's training step.
#pragma once

#include "engine/graph/graph.h"
#include "engine/runtime/backend.h"
#include "engine/runtime/kernel_timer.h"

namespace forger {

/// What the device can do at best, measured by this program: the ceilings of a roofline.
struct Ceilings {
  double gbps = 0;    // a copy of a buffer much larger than the caches, read and written
  double gflops = 0;  // a large matrix product by the backend's kernels, in its precision
};
Ceilings measure_ceilings(const Backend& backend);

/// One kernel on one problem.
struct KernelTime {
  std::string op, node, output, provider, kernel;  // node: the first of the step with this problem
  int64_t uses = 0;                                // nodes of the step with this problem
  Timing warm;                                     // the same buffers again and again
  Timing cold;                                     // buffers that the caches have lost
  double gflops = 0, gbps = 0;                     // cold
  double ceiling = 0;                              // time at the ceilings over cold time: 1 is perfect
};

struct KernelBenchOptions {
  std::string op = {};  // empty: all
  int64_t samples = 7;  // timings of which the median is taken
};

/// Every distinct problem of the step, and for it every provider's first kernel that takes it. Rows of one problem stand
/// together, in the order of the backend's providers.
std::vector<KernelTime> bench_kernels(const Graph& step, const Backend& backend, const Ceilings& ceilings,
                                      const KernelBenchOptions& options);

}  // namespace forger
