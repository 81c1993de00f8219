// The inner loops of pairs.cpp, compiled once per instruction set (cmake/isa.cmake).
#pragma once

#include <cstdint>

namespace forger {

inline constexpr int64_t kPairWidth = 16;  // points of b side by side
inline constexpr int64_t kPairRows = 8;    // points of a at once

/// out[r][w] = sum over k of (a[r][k] - strip[k][w])^2, or of a[r][k] * strip[k][w]. a [rows, d] with rows 1 to kPairRows, strip
/// [d, kPairWidth], out's rows are `pitch` apart. Each sum runs over k in order, so that all sets give the same bits.
using PairTile = void(const float* a, int64_t rows, const float* strip, int64_t d, float* out, int64_t pitch);

namespace baseline {
PairTile distance_tile, product_tile;
}
namespace avx2 {
PairTile distance_tile, product_tile;
}
namespace avx512 {
PairTile distance_tile, product_tile;
}

}  // namespace forger
