// The kernel distance (KID): a squared maximum mean discrepancy.
#pragma once

#include "evaluation/matrix.h"

namespace forger {

/// The unbiased estimate of MMD^2 with the kernel (x.y / d + 1)^3, of as many points each: Binkowski et al. 2018, equation 4 and
/// section 4. Throws ShapeError, DataError (fewer than two points, unequal numbers).
double kernel_distance(const Points& a, const Points& b);

/// Its mean over `subsets` random subsets of `size` points of each set, drawn without replacement from `seed`. If a set has
/// fewer points than `size`, all of the smaller number are taken.
double kernel_distance_of_subsets(const Points& a, const Points& b, int subsets = 100, int64_t size = 1000, uint64_t seed = 0);

}  // namespace forger
