// The size of a pooling problem, shared by specs, kernels and cases.
#pragma once

#include <algorithm>
#include <cstdint>

namespace forger {

/// NHWC input; windows of window x window that do not overlap and leave nothing over: H and W are multiples of it.
struct PoolShape {
  int64_t N = 0, H = 0, W = 0, C = 0;
  int64_t window = 2;

  int64_t P() const { return H / window; }
  int64_t Q() const { return W / window; }
  int64_t outputs() const { return N * P() * Q() * C; }
};

}  // namespace forger
