// Pictures made of blocks: grids of images and matrices of numbers.
#include <algorithm>
#include <cmath>

#include "kernels/common/errors.h"
#include "training/axes.h"
#include "training/canvas.h"
#include "training/pictures.h"

namespace forger {
namespace {

constexpr int64_t kMaxSide = 16384;
constexpr Color kMagenta{1, 0, 1};

/// Piecewise linear through the corner points of matplotlib's bone.
Color bone(float v) {
  const auto between = [v](float x0, float y0, float x1, float y1) { return y0 + (v - x0) / (x1 - x0) * (y1 - y0); };
  const float a = 0.365079f, b = 0.746032f;
  return {v < b ? between(0, 0, b, 0.652778f) : between(b, 0.652778f, 1, 1),
          v < a   ? between(0, 0, a, 0.319444f)
          : v < b ? between(a, 0.319444f, b, 0.777778f)
                  : between(b, 0.777778f, 1, 1),
          v < a ? between(0, 0, a, 0.444444f) : between(a, 0.444444f, 1, 1)};
}

/// The colour of one pixel whose channels, in [-1, 1], begin at `values`.
Color pixel_color(const float* values, int64_t channels, Colormap colormap) {
  float unit[3];
  for (int64_t c = 0; c < channels; ++c) {
    if (!std::isfinite(values[c])) return kMagenta;
    unit[c] = std::clamp(0.5f * values[c] + 0.5f, 0.0f, 1.0f);
  }
  if (channels == 3) return {unit[0], unit[1], unit[2]};
  return colormap == Colormap::bone ? bone(unit[0]) : Color{unit[0], unit[0], unit[0]};
}

/// 28 x 28 becomes 84 x 84, where a digit can be seen; a wide grid of them stays on the screen.
int64_t grid_scale(int64_t height, int64_t width, int64_t cols) {
  constexpr int64_t kTile = 84, kWide = 1600;
  return std::max<int64_t>(1, std::min(kTile / std::max(height, width), kWide / (cols * width)));
}

constexpr int64_t kGridGap = 2;

}  // namespace

void check_grid(const std::string& what, int64_t height, int64_t width, int64_t rows, int64_t cols) {
  const int64_t scale = grid_scale(height, width, cols);
  if (cols > kMaxSide / (width * scale + kGridGap) || rows > kMaxSide / (height * scale + kGridGap)) {
    fail<ConfigError>(
        "{}: a grid of {} x {} images of {} x {} pixels, expected at most {} pixels on a side; ask for a "
        "smaller grid",
        what, rows, cols, height, width, kMaxSide);
  }
}

void write_grid(const std::string& path, std::span<const float> pixels, int64_t count, int64_t height, int64_t width,
                int64_t channels, int64_t rows, int64_t cols, Colormap colormap) {
  write_png(path, draw_grid(path, pixels, count, height, width, channels, rows, cols, colormap));
}

RgbImage draw_grid(const std::string& path, std::span<const float> pixels, int64_t count, int64_t height, int64_t width,
                   int64_t channels, int64_t rows, int64_t cols, Colormap colormap) {
  if ((channels != 1 && channels != 3) || count < 0 || height < 1 || width < 1 || rows < 1 || cols < 1 ||
      static_cast<int64_t>(pixels.size()) != count * height * width * channels) {
    fail<ShapeError>(
        "{}: {} values for {} images of {} x {} x {} in a grid of {} x {}; expected count * height * width * "
        "channels, with 1 or 3 channels",
        path, pixels.size(), count, height, width, channels, rows, cols);
  }
  check_grid(path, height, width, rows, cols);
  constexpr int64_t kGap = kGridGap;
  const int64_t scale = grid_scale(height, width, cols);
  const int64_t step_x = width * scale + kGap, step_y = height * scale + kGap;
  Canvas canvas(static_cast<int>(cols * step_x + kGap), static_cast<int>(rows * step_y + kGap), kWhite);
  for (int64_t i = 0; i < std::min(count, rows * cols); ++i) {
    const int64_t left = i % cols * step_x + kGap, top = i / cols * step_y + kGap;
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        const Color color = pixel_color(&pixels[((i * height + y) * width + x) * channels], channels, colormap);
        const auto px = static_cast<double>(left + x * scale), py = static_cast<double>(top + y * scale);
        canvas.fill_box({px, py, px + static_cast<double>(scale), py + static_cast<double>(scale)}, color);
      }
    }
  }
  return canvas.image();
}

void write_matrix(const std::string& path, std::span<const float> values, int64_t rows, int64_t cols,
                  std::span<const std::string> row_labels, float low, float high) {
  constexpr int kScale = 2, kBlockWidth = 84, kBlockHeight = 44, kGap = 2, kMargin = 14;
  if (rows < 1 || cols < 1 || static_cast<int64_t>(values.size()) != rows * cols ||
      (!row_labels.empty() && static_cast<int64_t>(row_labels.size()) != rows)) {
    fail<ShapeError>("{}: {} values and {} labels, expected {} x {} values and a label for each row or none", path, values.size(),
                     row_labels.size(), rows, cols);
  }
  if (cols > kMaxSide / kBlockWidth || rows > kMaxSide / kBlockHeight) {
    fail<ConfigError>("{}: {} x {} values, expected at most {} pixels on a side; draw fewer", path, rows, cols, kMaxSide);
  }
  int label_width = 0;
  for (const std::string& label : row_labels) label_width = std::max(label_width, text_size(label, kScale).first);
  const int left = kMargin + (label_width > 0 ? label_width + kMargin : 0);
  Canvas canvas(left + static_cast<int>(cols) * (kBlockWidth + kGap) - kGap + kMargin,
                static_cast<int>(rows) * (kBlockHeight + kGap) - kGap + 2 * kMargin, kWhite);
  for (int64_t r = 0; r < rows; ++r) {
    const double top = kMargin + static_cast<double>(r) * (kBlockHeight + kGap);
    const double text_top = top + (kBlockHeight - text_size("0", kScale).second) / 2.0;
    if (!row_labels.empty()) {
      canvas.draw_text({static_cast<double>(left - kMargin), text_top}, row_labels[static_cast<size_t>(r)], kBlack, kScale,
                       Align::right);
    }
    for (int64_t c = 0; c < cols; ++c) {
      const float value = values[static_cast<size_t>(r * cols + c)];
      const bool finite = std::isfinite(value) && low < high;
      const float shade = finite ? std::clamp((value - low) / (high - low), 0.0f, 1.0f) : 0.5f;
      const double x = left + static_cast<double>(c) * (kBlockWidth + kGap);
      const Box block = {x, top, x + kBlockWidth, top + kBlockHeight};
      canvas.fill_box(block, finite ? Color{shade, shade, shade} : kMagenta);
      canvas.draw_box(block, 1, {0.75f, 0.75f, 0.78f});  // a white block on white paper needs an edge
      canvas.draw_text({x + kBlockWidth / 2.0, text_top}, fmt::format("{:.2f}", value), shade > 0.5f ? kBlack : kWhite, kScale,
                       Align::center);
    }
  }
  write_png(path, canvas.image());
}

}  // namespace forger
