// What a tile of a convolution's matrix product leaves out, against a search through all pixels and taps.
#include <doctest/doctest.h>

#include <set>
#include <tuple>

#include "kernels/common/conv2d_shape.h"
#include "kernels/cuda/conv2d.h"
#include "kernels/cuda/conv2d_taps.h"

using namespace forger;
using namespace forger::FORGER_DEVICE;

namespace {

PixelTaps taps_of(int images, int grid, int extent, int taps, int stride, int pad, int step) {
  return {.image = {nullptr, extent, extent, 4},
          .rows = images * grid * grid,
          .grid_h = grid,
          .grid_w = grid,
          .group = image_group(images),
          .stride_h = stride,
          .stride_w = stride,
          .first_y = step > 0 ? -pad : pad,
          .first_x = step > 0 ? -pad : pad,
          .step = step,
          .R = taps,
          .S = taps};
}

bool inside(int start, int step, int tap, int extent) {
  return start + step * tap >= 0 && start + step * tap < extent;
}

Conv2dShape square(int64_t n, int64_t side, int64_t c, int64_t k, int64_t stride) {
  const int64_t out = same_output_size(side, stride), pad = same_padding_before(side, 4, stride);
  return {.N = n,
          .H = side,
          .W = side,
          .C = c,
          .K = k,
          .R = 4,
          .S = 4,
          .P = out,
          .Q = out,
          .stride_h = stride,
          .stride_w = stride,
          .pad_top = pad,
          .pad_left = pad};
}

}  // namespace

TEST_CASE("conv2d taps: groups of images divide the batch and fit a tile") {
  for (int n = 1; n <= 300; ++n) {
    const int group = image_group(n);
    CHECK(n % group == 0);
    CHECK(group <= 64);
  }
  CHECK(image_group(32) == 32);
  CHECK(image_group(1024) == 64);
  CHECK(image_group(67) == 1);
}

TEST_CASE("conv2d taps: every row is a pixel of its own") {
  for (const int images : {1, 6, 67, 128}) {
    const PixelTaps taps = taps_of(images, 3, 3, 3, 1, 1, 1);
    std::set<std::tuple<int, int, int>> seen;
    for (int row = 0; row < taps.rows; ++row) {
      const auto [image, i, j] = taps.pixel(row);
      CHECK((image >= 0 && image < images && i >= 0 && i < 3 && j >= 0 && j < 3));
      seen.insert({image, i, j});
    }
    CHECK(static_cast<int>(seen.size()) == taps.rows);
  }
}

TEST_CASE("conv2d taps: what is left out of a tile would have added nothing, and whole lines of nothing are left out") {
  for (const int step : {1, -1}) {
    for (const int images : {1, 5, 16, 64}) {
      for (const int stride : {1, 2}) {
        for (const int pad : {0, 1, 3}) {
          for (const int tile : {16, 64}) {
            const PixelTaps taps = taps_of(images, 5, stride * 4, 5, stride, pad, step);
            for (int first = 0; first < taps.rows; first += tile) {
              const Box met = taps.met(first, tile);
              std::set<int> rows, columns;
              for (int row = first; row < std::min(first + tile, taps.rows); ++row) {
                const auto [image, i, j] = taps.pixel(row);
                const int y = taps.first_y + i * stride, x = taps.first_x + j * stride;
                for (int r = 0; r < taps.R; ++r) {
                  for (int s = 0; s < taps.S; ++s) {
                    if (!inside(y, step, r, taps.image.H) || !inside(x, step, s, taps.image.W)) continue;
                    REQUIRE((r >= met.rows.first && r < met.rows.end && s >= met.columns.first && s < met.columns.end));
                    rows.insert(r);
                    columns.insert(s);
                  }
                }
              }
              // The rectangle may be larger only where it is needed by pixels of several lines or groups.
              const int last = std::min(first + tile, taps.rows) - 1;
              if (taps.pixel(first).i == taps.pixel(last).i && last - first < taps.group) {
                CHECK(met.rows.size() * (columns.empty() ? 0 : 1) == static_cast<int>(rows.size()));
                CHECK(met.columns.size() * (rows.empty() ? 0 : 1) == static_cast<int>(columns.size()));
              }
            }
          }
        }
      }
    }
  }
}

TEST_CASE("conv2d taps: a filter gradient leaves out the pixels that its taps do not meet") {
  for (const int stride : {1, 2, 3}) {
    for (const int pad : {0, 1, 2, 7}) {
      for (int first = 0; first < 5; ++first) {
        for (int end = first + 1; end <= 5; ++end) {
          const Range met = pixels_met({first, end}, 6, pad, stride, 9);
          for (int i = 0; i < 6; ++i) {
            bool any = false;
            for (int r = first; r < end; ++r) any = any || inside(i * stride - pad, 1, r, 9);
            CHECK(any == (i >= met.first && i < met.end));
          }
        }
      }
    }
  }
}

TEST_CASE("conv2d taps: the share that is left, for DCGAN's layers") {
  // (pixel, tap) pairs inside of the image: 3 + 4 + 3 + 2 of 16 along each axis of 4 pixels, 14 / 14 pixels less two edges ...
  const GemmSize four = conv2d_size(square(64, 4, 128, 256, 1));
  CHECK(four.met_64 == doctest::Approx(12. * 12 / (16 * 16)));
  CHECK(four.met_128 > four.met_64);  // two pixels
  const GemmSize seven = conv2d_size(square(64, 7, 64, 128, 2));
  CHECK(seven.met_64 == doctest::Approx(13. * 13 / (16 * 16)));
  CHECK(conv2d_size(square(64, 14, 128, 128, 1)).met_64 == doctest::Approx(52. * 52 / (56 * 56)));
  // The gradients' share of the same multiplications.
  CHECK(conv2d_input_grad_size(square(64, 4, 128, 256, 1)).met_64 == doctest::Approx(144. / 256));
  CHECK(conv2d_filter_grad_size(square(64, 4, 128, 256, 1)).met_128 == doctest::Approx(144. / 256));
  // A group of one: tiles of many lines, nothing to leave out.
  CHECK(conv2d_size(square(67, 14, 128, 128, 1)).met_64 > 0.98);
}
