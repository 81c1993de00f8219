// How a oneDNN operation is cut into pieces that threads take as they come.
//
// The cut depends on the problem alone, not on the number of threads, and every piece is computed by one thread: results are the
// same bits for any number of threads.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/threads/split.h"

namespace forger::onednn {

/// Floating-point operations of a piece: about a tenth of a millisecond of one core, so that a suspended thread holds little.
inline constexpr int64_t kPieceFlops = 10'000'000;
/// Small operations are cut into kFewPieces, of no fewer operations than these: below, waking a thread takes longer.
inline constexpr int64_t kFewestFlops = 1'000'000, kFewPieces = 4;

/// Cuts `count` > 0 items of an operation of `flops` into at most `most` pieces, each a multiple of `multiple` items.
inline Split cut(int64_t count, int64_t flops, int64_t most, int64_t multiple = 1) {
  const int64_t wanted = std::max(flops / kPieceFlops, std::min(flops / kFewestFlops, kFewPieces));
  const int64_t pieces = std::clamp<int64_t>(wanted, 1, std::min(most, count));
  const int64_t size = std::min(ceil_div(ceil_div(count, pieces), multiple) * multiple, count);
  return {count, size};
}

/// Pieces have one or two lengths. Returns 1 for a shorter last piece, 0 for all others.
inline std::size_t kind_of(const Split& cut, int64_t piece) {
  return cut.length(piece) == cut.size ? 0 : 1;
}

}  // namespace forger::onednn
