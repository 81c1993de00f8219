// Sums over any axes, f32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/cuda/stream.h"

namespace forger::FORGER_DEVICE {

/// How a reduction is done. Axes of one kind (kept or reduced) that follow each other are one; extents of 1 are none.
struct ReduceSumPlan {
  enum class Kind : uint8_t {
    rows,     // [outer, reduced] -> [outer]
    columns,  // [outer, reduced, inner] -> [outer, inner]
    general,  // anything else
  };
  Kind kind = Kind::rows;
  int64_t outer = 1, reduced = 1, inner = 1;
  int64_t splits = 1;  // partial sums of each output
  struct Axis {
    int64_t extent, stride;
  };
  std::vector<Axis> kept, summed;  // general: innermost first
  int64_t outputs = 1;
  size_t workspace_bytes = 0, counters = 0;
};
inline constexpr size_t kMaxReduceAxes = 4;  // of each kind, after merging

/// `axes` ascend. Callers check that kept and summed have at most kMaxReduceAxes axes.
ReduceSumPlan plan_reduce_sum(const std::vector<int64_t>& shape, const std::vector<int64_t>& axes, int multiprocessors);

/// y = sums of x, dense over the kept axes. x and y are aligned to 16 bytes and do not overlap.
void reduce_sum(const ReduceSumPlan& plan, const float* x, float* y, void* workspace, uint32_t* counters, Stream stream);

}  // namespace forger::FORGER_DEVICE
