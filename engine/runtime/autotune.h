// Plans of kernels, such as tiles and splits of matrix products, chosen by timing instead of by estimate.
#pragma once

#include <functional>

#include "engine/providers/provider.h"
#include "engine/runtime/device.h"

namespace forger {

/// Milliseconds of a kernel that was prepared for the node; what it throws rules the plan out.
using PlanTimer = std::function<double(const NodeView&, const PreparedKernel&)>;
/// On buffers of its own that the caches have lost: nothing of a run is touched.
PlanTimer device_plan_timer(Device& device);

/// `known` and, for every node of the step that it does not know and whose chosen kernel has several plans, the fastest of
/// them; of equals the one that the estimate prefers. Plans that are known never change, so that runs that share them
/// compute the same. The node's problem and how many are done are told to `progress`, if there is one.
/// Throws DeviceError if no plan of a kernel can run.
Tuning autotune(const Graph& step, std::span<const Provider* const> providers, Target target, Tuning known, const PlanTimer& time,
                const std::function<void(const std::string& problem, size_t done, size_t of)>& progress = nullptr);

}  // namespace forger
