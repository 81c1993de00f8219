// Every pair of two sets of points: squared distances or scalar products, a block of rows at a time, on all threads.
#pragma once

#include <functional>

#include "evaluation/matrix.h"

namespace forger {

/// Called with row i of the matrix of all pairs: one number for each point of `b`. Rows come in any order and from any thread,
/// each once: what it writes for row i must be row i's own.
using PairRow = std::function<void(int64_t i, std::span<const float> row)>;

/// |a_i - b_j|^2, summed in float over the differences themselves, so that equal points are at distance 0 exactly. Results do
/// not depend on the number of threads.
void for_each_distance_row(const Points& a, const Points& b, const PairRow& f);
/// a_i . b_j.
void for_each_product_row(const Points& a, const Points& b, const PairRow& f);

}  // namespace forger
