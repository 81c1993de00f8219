// How the kernels split work into the pieces of parallel_for().
//
// The split depends on the problem's size alone, never on the number of threads: a sum adds the same partial
// sums in the same order on one core and on sixty-four, so results are the same bit for bit.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/threads/pool.h"
#include "kernels/threads/split.h"

namespace forger::simd {

/// Elements that one thread takes at a time. Below it a kernel stays on the calling thread: waking the others
/// takes a few microseconds, in which one core does all of it.
inline constexpr int64_t kChunkElements = 16384;

/// Most partial sums of one reduction: enough for many cores, few enough to add up on one.
inline constexpr int64_t kMaxPartials = 64;

/// Cuts `count` items of `weight` elements each into parts of about kChunkElements elements, at most
/// `max_pieces`; a part's size is a multiple of `multiple` items.
inline Split split(int64_t count, int64_t weight, int64_t max_pieces = INT64_MAX, int64_t multiple = 1) {
  int64_t size = std::max<int64_t>(kChunkElements / std::max<int64_t>(weight, 1), 1);
  size = std::max(size, ceil_div(count, max_pieces));
  size = ceil_div(size, multiple) * multiple;
  return {count, size};
}

}  // namespace forger::simd
