// What a convolution does with the columns of its result while the tiles are still in shared memory, and the memory that it
// takes. See gemm_columns.h.
#pragma once

#include "kernels/cuda/batch_norm.h"
#include "kernels/cuda/gemm_plan.h"

namespace forger::FORGER_DEVICE {

enum class ColumnWork : uint8_t {
  none,
  sums,           // plain ones: a bias's gradient
  statistics,     // a batch norm's
  normalise,      // and the batch norm itself: blocks wait for the statistics
  gradient,       // the result is the gradient dy of a batch norm's y: its whole backward pass, in which blocks wait for sums
  gradient_sums,  // the same dy: only the sums of that backward pass, for a launch behind this one; nobody waits
};
/// Do blocks wait for each other? Then the launch is cooperative: all of them must be under way at once.
constexpr bool blocks_wait(ColumnWork work) {
  return work == ColumnWork::normalise || work == ColumnWork::gradient;
}

/// For a launcher. At most one of these, but for `apply`, which needs statistics, and `gradient_sums`, which needs a gradient.
struct ColumnArgs {
  const BatchNormStatistics* statistics = nullptr;
  const BatchNormApply* apply = nullptr;
  float* sums = nullptr;                    // [n], of what the epilogue gives
  const BatchNormGrad* gradient = nullptr;  // dy is not read: it is the convolution's result, and is not written
  float* gradient_sums = nullptr;           // [2, n], dbeta and dgamma: dy is the convolution's result, and that is all

  ColumnWork work() const {
    if (gradient) return gradient_sums ? ColumnWork::gradient_sums : ColumnWork::gradient;
    if (statistics) return apply ? ColumnWork::normalise : ColumnWork::statistics;
    return sums ? ColumnWork::sums : ColumnWork::none;
  }
};

/// Scratch memory of a matrix product, splits included; the flags lie behind the counters.
struct ColumnNeeds {
  size_t workspace_bytes = 0, counters = 0, flags = 0;
};

}  // namespace forger::FORGER_DEVICE
