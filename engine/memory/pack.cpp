#include <algorithm>
#include <numeric>

#include "engine/memory/planner.h"

namespace forger {

Packing pack(const std::vector<BlockRequest>& requests, size_t alignment) {
  std::vector<size_t> order(requests.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return requests[a].bytes > requests[b].bytes; });

  const auto round_up = [&](size_t n) { return (n + alignment - 1) / alignment * alignment; };
  Packing packing{std::vector<size_t>(requests.size(), 0), 0};
  std::vector<size_t> placed;  // sorted by offset
  for (size_t i : order) {
    const size_t bytes = round_up(requests[i].bytes);
    size_t offset = 0;
    for (size_t j : placed) {
      const bool together = requests[i].first <= requests[j].last && requests[j].first <= requests[i].last;
      if (!together) continue;
      if (offset + bytes <= packing.offsets[j]) break;  // fits into the gap before j
      offset = std::max(offset, packing.offsets[j] + round_up(requests[j].bytes));
    }
    packing.offsets[i] = offset;
    packing.bytes = std::max(packing.bytes, offset + bytes);
    const auto by_offset = [&](size_t a, size_t b) { return packing.offsets[a] < packing.offsets[b]; };
    placed.insert(std::upper_bound(placed.begin(), placed.end(), i, by_offset), i);
  }
  return packing;
}

}  // namespace forger
