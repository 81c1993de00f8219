// The pictures of a run, as PNG files that are written atomically. All throw DataError if the file cannot be
// written and ShapeError if the number of values does not fit their arguments. Values that are not finite are
// left out, or drawn in magenta where they are pixels: a diverged network must be seen.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "training/canvas.h"

namespace forger {

/// How a single channel becomes a colour; bone is the bluish grey of matplotlib's colormap of that name.
enum class Colormap { grey, bone };

/// Images side by side: pixels in [-1, 1], [count, height, width, channels], channels 1 or 3. The first rows
/// * cols of them, row by row; what is missing stays empty. Small images are enlarged by a whole number.
void write_grid(const std::string& path, std::span<const float> pixels, int64_t count, int64_t height, int64_t width,
                int64_t channels, int64_t rows, int64_t cols, Colormap colormap = Colormap::grey);

/// The same picture in memory; `what` begins the messages of errors.
RgbImage draw_grid(const std::string& what, std::span<const float> pixels, int64_t count, int64_t height, int64_t width,
                   int64_t channels, int64_t rows, int64_t cols, Colormap colormap = Colormap::grey);

/// Throws ConfigError, which begins with `what`, if such a grid would be a picture of more pixels than write_grid draws.
void check_grid(const std::string& what, int64_t height, int64_t width, int64_t rows, int64_t cols);

/// Points in the plane, [n, 2] each: real blue, fake red. Both axes have the same unit.
void write_scatter(const std::string& path, std::span<const float> real, std::span<const float> fake);

/// Two distributions on a line as densities (area 1), real blue and fake red, over the range of the real ones
/// and most of the fake ones.
void write_histogram(const std::string& path, std::span<const float> real, std::span<const float> fake, int bins = 60);

/// One line of a plot: values over steps, which ascend.
struct Series {
  std::string name;
  std::vector<float> steps;
  std::vector<float> values;
};

/// A horizontal dashed line, such as the loss where neither network wins.
struct ReferenceLine {
  double value = 0;
  std::string label;
};

/// Histories of losses or scores over training steps.
void write_curves(const std::string& path, const std::string& title, std::span<const Series> series,
                  const std::optional<ReferenceLine>& reference = std::nullopt);

/// Numbers as grey blocks (low black, high white) with the value on them, [rows, cols]; each row may have a
/// label.
void write_matrix(const std::string& path, std::span<const float> values, int64_t rows, int64_t cols,
                  std::span<const std::string> row_labels = {}, float low = 0, float high = 1);

}  // namespace forger
