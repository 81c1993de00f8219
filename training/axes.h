// The frame of a plot: ranges of the data, ticks at round numbers, a legend.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "training/canvas.h"

namespace forger {

struct Range {
  double low = 0, high = 1;
};

/// The finite values between two quantiles, such as 0.01 and 0.99: outliers must not squash a plot.
/// {0, 1} if there is no finite value.
Range quantile_range(std::span<const float> values, double low, double high);

/// The smallest range that holds both.
Range united(Range a, Range b);

/// The range with a margin on both sides, a share of its extent; never empty or too narrow for ticks.
Range widened(Range range, double share);

/// At most `most` multiples of 1, 2 or 5 times a power of ten inside the range.
std::vector<double> round_ticks(Range range, int most);

/// A tick's label: as many digits as ticks `step` apart need.
std::string tick_label(double value, double step);

/// One line of a legend.
struct LegendEntry {
  std::string text;
  Color color;
};

inline constexpr Color kBlack{0.1f, 0.1f, 0.12f}, kGridColor{0.90f, 0.90f, 0.92f}, kWhite{1, 1, 1};
inline constexpr Color kRealColor{0.10f, 0.32f, 0.85f}, kFakeColor{0.86f, 0.13f, 0.15f};

/// A canvas with axes on it.
class Axes {
 public:
  /// Draws title, legend (on the title's line if there is room, else below: it never covers data), grid and
  /// ticks.
  Axes(int width, int height, Range x, Range y, const std::string& title, std::span<const LegendEntry> legend,
       const std::string& x_label = "");

  /// From the data's units to pixels.
  Point at(double x, double y) const;
  const Box& area() const { return area_; }
  Range x_range() const { return x_; }
  Range y_range() const { return y_; }

  /// Drawing on it is clipped to the area inside the frame.
  Canvas& canvas() { return canvas_; }

  /// Draws the frame, over what was plotted, and writes the file.
  void finish(const std::string& path);

 private:
  /// Returns where the plot may begin.
  double draw_head(const std::string& title, std::span<const LegendEntry> legend);
  void draw_ticks();

  Canvas canvas_;
  Range x_, y_;
  Box area_;
};

}  // namespace forger
