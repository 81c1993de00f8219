// A small raster canvas with anti-aliased shapes and a bitmap font: enough to draw plots without a plotting
// library.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace forger {

/// Red, green and blue in [0, 1].
struct Color {
  float r = 0, g = 0, b = 0;
};

/// A place in pixels: x to the right, y down; pixel (0, 0) covers [0, 1) x [0, 1).
struct Point {
  double x = 0, y = 0;
};

/// A rectangle in pixels.
struct Box {
  double left = 0, top = 0, right = 0, bottom = 0;
};

/// Pixels as PNG stores them.
struct RgbImage {
  int width = 0, height = 0;
  std::vector<uint8_t> pixels;  // [height, width, 3]
};

/// Writes a PNG, atomically. Throws DataError if it cannot be written.
void write_png(const std::string& path, const RgbImage& image);

/// Where a text stands relative to its point.
enum class Align { left, center, right };

/// The extent of a text in pixels: {width, height}.
std::pair<int, int> text_size(std::string_view text, int scale);

class Canvas {
 public:
  Canvas(int width, int height, Color background);

  int width() const { return width_; }
  int height() const { return height_; }

  /// Everything drawn from now on stays inside the box.
  void set_clip(Box box) { clip_ = box; }
  void clear_clip();

  void fill_box(Box box, Color color, double alpha = 1);
  void fill_disc(Point center, double radius, Color color, double alpha = 1);
  /// Connects the points with round joints. Where the line crosses itself alpha counts once.
  void draw_lines(const std::vector<Point>& points, double width, Color color, double alpha = 1);
  /// The outline of a box.
  void draw_box(Box box, double width, Color color);
  /// ASCII; `scale` pixels per font pixel; the point is the upper edge of the text.
  void draw_text(Point at, std::string_view text, Color color, int scale, Align align = Align::left);

  RgbImage image() const;

 private:
  /// Calls shade(x, y) for the pixels inside the box and the clip.
  template <class Shade>
  void for_pixels(Box box, Shade shade);
  void blend(int x, int y, Color color, double alpha);

  int width_, height_;
  Box clip_;
  std::vector<Color> pixels_;  // [height, width]
};

}  // namespace forger
