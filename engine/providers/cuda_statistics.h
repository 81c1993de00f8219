// A batch's statistics beside a convolution, for the CUDA provider and for the libraries that leave them to its kernel.
#pragma once

#include "engine/providers/adapters.h"
#include "kernels/cuda/batch_norm.h"

namespace forger::FORGER_DEVICE {

/// Of a convolution with statistics, as its outputs 1 to 4.
inline BatchNormStatistics statistics_args(const StatisticsOf& s, const KernelArgs& a) {
  return {.M = s.size.rows,
          .C = s.size.channels,
          .running_mean = a.in<float>(s.running),
          .running_var = a.in<float>(s.running + 1),
          .epsilon = s.epsilon,
          .momentum = s.momentum,
          .mean = a.out<float>(1),
          .inv_std = a.out<float>(2),
          .new_running_mean = a.out<float>(3),
          .new_running_var = a.out<float>(4)};
}

/// Statistics of a convolution whose kernel makes none.
inline PreparedKernel prepare_statistics(const NodeView& v) {
  const StatisticsOf s = *statistics_of(v);
  const int multiprocessors = v.target().multiprocessors.count;
  return {[=](const KernelArgs& a) {
            batch_norm_statistics(a.out<float>(0), statistics_args(s, a), multiprocessors, a.workspace, a.counters, a.stream);
          },
          batch_norm_workspace_bytes(s.size.rows, s.size.channels, multiprocessors),
          batch_norm_statistics_counters(s.size.rows, s.size.channels, multiprocessors)};
}

}  // namespace forger::FORGER_DEVICE
