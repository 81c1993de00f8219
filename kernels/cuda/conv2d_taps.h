// Which pixels and taps of a convolution meet, and which a tile of its matrix product may leave out: for kernels and for plans.
//
// Rows of the forward and of the input gradient's product are pixels of a grid, with the images of a group innermost: a tile
// then has few pixels, and where all of them lie at an edge, some taps are in the padding for all of them and are left out of
// the tile's sum. Those left are a rectangle. Columns of the filter gradient's product are taps, and a tile leaves out the pixels
// that none of its taps meets.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cuda/stream.h"

namespace forger::FORGER_DEVICE {

/// Images of a group: the largest number that divides them all, of at most the rows of the smallest tile.
constexpr int image_group(int64_t images) {
  for (int group = 64; group > 1; --group) {
    if (images % group == 0) return group;
  }
  return 1;
}

/// A number in mixed radix that counts up in equal steps: (high * mids + mid) * lows + low. lows and mids >= 1.
class Odometer {
 public:
  constexpr Odometer() = default;
  constexpr Odometer(int value, int lows, int mids) : low(value % lows), mid(value / lows % mids), high(value / lows / mids) {}
  /// *this += step, digit by digit: no divisions.
  constexpr void add(const Odometer& step, int lows, int mids) {
    low += step.low;
    mid += step.mid;
    high += step.high;
    if (low >= lows) low -= lows, ++mid;
    if (mid >= mids) mid -= mids, ++high;
  }
  int low = 0, mid = 0, high = 0;
};

/// Numbers from `first` on, before `end`.
struct Range {
  int first = 0, end = 0;

  constexpr int size() const { return end - first; }
};

/// A rectangle of pixels or taps.
struct Box {
  Range rows, columns;

  constexpr int size() const { return rows.size() * columns.size(); }
};

/// The part of [first, end) that is in [0, size); if there is none, nothing at 0.
constexpr Range clipped(int first, int end, int size) {
  const Range range = {std::max(first, 0), std::min(end, size)};
  return range.first < range.end ? range : Range{};
}

/// The taps, of `taps`, that meet one of `extent` places for a pixel of `pixels`: pixel i and tap r meet at start + i * stride +
/// step * r, where step is 1 or -1.
constexpr Range taps_met(Range pixels, int taps, int start, int stride, int step, int extent) {
  const int low = start + pixels.first * stride, high = start + (pixels.end - 1) * stride;
  return step > 0 ? clipped(-high, extent - low, taps) : clipped(low - extent + 1, high + 1, taps);
}

/// The pixels, of `pixels`, that meet one of `extent` places with a tap of `taps`: pixel i and tap r meet at i * stride + r -
/// pad.
constexpr Range pixels_met(Range taps, int pixels, int pad, int stride, int extent) {
  const int low = pad - taps.end + 1, high = extent + pad - taps.first;  // low <= i * stride < high
  return clipped(low > 0 ? (low + stride - 1) / stride : 0, high > 0 ? (high + stride - 1) / stride : 0, pixels);
}

/// From the first to the last of a row of digits of an Odometer: what low and mid are in between.
constexpr Box digits_between(const Odometer& first, const Odometer& last, int lows, int mids) {
  const bool one_high = first.high == last.high, one_mid = one_high && first.mid == last.mid;
  // One by one: nvcc 13.0 crashes at conditional ranges within one list.
  const Range middle = one_high ? Range{first.mid, last.mid + 1} : Range{0, mids};
  const Range low = one_mid ? Range{first.low, last.low + 1} : Range{0, lows};
  return {middle, low};
}

/// A tensor of activations.
struct Image {
  const float* data = nullptr;
  int H = 0, W = 0, C = 0;
};

/// Rows of A: a grid of pixels, and where their taps are in an image. Row ((image / group * grid_h + i) * grid_w + j) * group +
/// image % group is pixel (i, j) of an image.
struct PixelTaps {
  struct Pixel {
    int image, i, j;
  };

  constexpr Pixel pixel(int row) const {
    const Odometer at(row / group, grid_w, grid_h);
    return {at.high * group + row % group, at.mid, at.low};
  }

  /// The taps that a pixel of rows [first, first + count) meets; there is such a row.
  constexpr Box met(int first, int count) const {
    const int last = std::min(first + count, rows) - 1;
    const Box pixels = digits_between({first / group, grid_w, grid_h}, {last / group, grid_w, grid_h}, grid_w, grid_h);
    return {taps_met(pixels.rows, R, first_y, stride_h, step, image.H),
            taps_met(pixels.columns, S, first_x, stride_w, step, image.W)};
  }

  /// Leaves out all other taps: the first of the box is then (0, 0).
  constexpr void keep(const Box& box) {
    first_y += step * box.rows.first;
    first_x += step * box.columns.first;
    R = box.rows.size();
    S = box.columns.size();
  }

  /// Taps of tiles of `tile` rows, those left out and not, as a share of all taps of all tiles.
  constexpr double share_met(int tile) const {
    // Where tiles end with groups, all groups are alike.
    const int group_rows = group * grid_h * grid_w, end = group_rows > 0 && group_rows % tile == 0 ? group_rows : rows;
    int64_t tiles = 0, sum = 0;
    for (int first = 0; first < end; first += tile, ++tiles) sum += met(first, tile).size();
    return sum == 0 ? 1.0 : static_cast<double>(sum) / (static_cast<double>(tiles) * R * S);
  }

  Image image;
  int rows = 0, grid_h = 0, grid_w = 0;  // rows = images * grid_h * grid_w
  int group = 1;                         // of images; divides their number
  int stride_h = 1, stride_w = 1, first_y = 0, first_x = 0;
  int step = 1;
  int R = 0, S = 0;  // taps; k = (r * S + s) * C + c
};

/// Columns of B of the filter gradient, taps (r, s, c), and the output pixels that it sums over: k = (image * grid_h + i) *
/// grid_w + j is output pixel (top + i, left + j).
struct PatchColumns {
  /// The output pixels that a tap of columns [first, first + count) meets; there is such a column.
  constexpr Box met(int first, int count) const {
    const int last = std::min(first + count, columns) - 1;
    const Odometer first_tap(first / image.C, S, 1), last_tap(last / image.C, S, 1);
    const bool one_row = first_tap.high == last_tap.high;
    const Range rows = {first_tap.high, last_tap.high + 1};
    const Range all = {0, S}, one = {first_tap.low, last_tap.low + 1};
    return {pixels_met(rows, P, pad_top, stride_h, image.H), pixels_met(one_row ? one : all, Q, pad_left, stride_w, image.W)};
  }

  /// Leaves out all other pixels.
  constexpr void keep(const Box& box) {
    top = box.rows.first;
    left = box.columns.first;
    grid_h = box.rows.size();
    grid_w = box.columns.size();
  }

  constexpr int pixels() const { return images * grid_h * grid_w; }

  /// As PixelTaps::share_met, for tiles of `tile` columns.
  constexpr double share_met(int tile) const {
    int64_t tiles = 0, sum = 0;
    for (int first = 0; first < columns; first += tile, ++tiles) sum += met(first, tile).size();
    return sum == 0 ? 1.0 : static_cast<double>(sum) / (static_cast<double>(tiles) * P * Q);
  }

  Image image;
  int images = 0, P = 0, Q = 0;  // of the output
  int top = 0, left = 0, grid_h = 0, grid_w = 0;
  int stride_h = 1, stride_w = 1, pad_top = 0, pad_left = 0;
  int S = 0, columns = 0;  // columns = R * S * C
};

}  // namespace forger::FORGER_DEVICE
