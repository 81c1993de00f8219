// Cheap looks at a set of samples while training goes on: how much they differ from one another, how much of the real
// distribution they reach, whether they are copies. Distances are Euclidean, in pixels or coordinates; they warn, they
// do not score (`forger eval` measures in a classifier's features).
#pragma once

#include <cstdint>
#include <span>

namespace forger {

/// Mean distance between two different rows of [n, dim], over the first `most` rows. 0 for fewer than two rows. Throws
/// ShapeError if the values are no whole rows.
double mean_pairwise_distance(std::span<const float> rows, int64_t dim, int64_t most = 256);

/// Share of real rows around which fakes are at least a quarter as dense as reals: both are counted in a ball of a quarter
/// of the mean pairwise distance of the reals, and counts are shares of their sample. A lost mode takes its share away,
/// as with the counts of VEEGAN's table, but no list of modes is needed. [n, dim] each; at most `most` rows of both are
/// looked at. Throws ShapeError if the values are no whole rows, DataError if a sample is empty.
double density_coverage(std::span<const float> real, std::span<const float> fake, int64_t dim, int64_t most = 500);

/// Share of fakes, pixels in [-1, 1] [n, dim], that lie much nearer to an image of the training set (u8 rows [m, dim])
/// than images of that set lie to one another: less than a quarter of the median distance to the nearest other one.
/// Looks at no more than `most_fakes` and `most_rows`, the first ones. 0 if the set has fewer than two rows or repeats
/// itself. Throws ShapeError if the values are no whole rows.
double copied_share(std::span<const float> fakes, std::span<const uint8_t> table, int64_t dim, int64_t most_fakes = 16,
                    int64_t most_rows = 20000);

}  // namespace forger
