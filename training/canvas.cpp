#include "training/canvas.h"

#include <stb/stb_image_write.h>

#include <algorithm>
#include <cmath>

#include "datasets/files.h"
#include "kernels/common/errors.h"
#include "training/font.h"

namespace forger {
namespace {

/// How much of the pixel at `p` the interval [low, high) covers, along one axis.
double overlap(int p, double low, double high) {
  return std::clamp(std::min(high, p + 1.0) - std::max(low, double(p)), 0.0, 1.0);
}

/// The coverage of a pixel whose centre lies `distance` inside (negative) or outside (positive) of an edge.
double edge_coverage(double distance) {
  return std::clamp(0.5 - distance, 0.0, 1.0);
}

double distance_to_segment(Point p, Point a, Point b) {
  const double dx = b.x - a.x, dy = b.y - a.y, length2 = dx * dx + dy * dy;
  const double t = length2 > 0 ? std::clamp(((p.x - a.x) * dx + (p.y - a.y) * dy) / length2, 0.0, 1.0) : 0.0;
  return std::hypot(p.x - a.x - t * dx, p.y - a.y - t * dy);
}

uint8_t to_byte(float v) {
  return static_cast<uint8_t>(std::lround(std::clamp(v, 0.0f, 1.0f) * 255));
}

}  // namespace

void write_png(const std::string& path, const RgbImage& image) {
  std::vector<uint8_t> file;
  const auto append = [](void* to, void* data, int size) {
    const auto* bytes = static_cast<const uint8_t*>(data);
    auto* out = static_cast<std::vector<uint8_t>*>(to);
    out->insert(out->end(), bytes, bytes + size);
  };
  if (!stbi_write_png_to_func(append, &file, image.width, image.height, 3, image.pixels.data(), 3 * image.width)) {
    fail<Error>("{}: no memory for a picture of {} x {} pixels", path, image.width, image.height);
  }
  write_file(path, {file});
}

std::pair<int, int> text_size(std::string_view text, int scale) {
  const int columns = text.empty() ? 0 : static_cast<int>(text.size()) * (kGlyphWidth + 1) - 1;
  return {columns * scale, kGlyphHeight * scale};
}

Canvas::Canvas(int width, int height, Color background)
    : width_(width), height_(height), pixels_(static_cast<size_t>(width) * static_cast<size_t>(height), background) {
  clear_clip();
}

void Canvas::clear_clip() {
  clip_ = {0, 0, double(width_), double(height_)};
}

template <class Shade>
void Canvas::for_pixels(Box box, Shade shade) {
  // Clamped as doubles: far outside the canvas a coordinate may not fit an int.
  const auto first = [](double v, double low, double high) { return static_cast<int>(std::floor(std::clamp(v, low, high))); };
  const auto last = [](double v, double low, double high) { return static_cast<int>(std::ceil(std::clamp(v, low, high))); };
  const int x0 = first(box.left, clip_.left, clip_.right), x1 = last(box.right, clip_.left, clip_.right);
  const int y0 = first(box.top, clip_.top, clip_.bottom), y1 = last(box.bottom, clip_.top, clip_.bottom);
  for (int y = y0; y < y1; ++y) {
    for (int x = x0; x < x1; ++x) shade(x, y);
  }
}

void Canvas::blend(int x, int y, Color color, double alpha) {
  Color& p = pixels_[static_cast<size_t>(y) * static_cast<size_t>(width_) + static_cast<size_t>(x)];
  const auto a = static_cast<float>(alpha);
  p = {p.r + a * (color.r - p.r), p.g + a * (color.g - p.g), p.b + a * (color.b - p.b)};
}

void Canvas::fill_box(Box box, Color color, double alpha) {
  for_pixels(
      box, [&](int x, int y) { blend(x, y, color, alpha * overlap(x, box.left, box.right) * overlap(y, box.top, box.bottom)); });
}

void Canvas::fill_disc(Point center, double radius, Color color, double alpha) {
  const double reach = radius + 1;
  for_pixels({center.x - reach, center.y - reach, center.x + reach, center.y + reach}, [&](int x, int y) {
    const double distance = std::hypot(x + 0.5 - center.x, y + 0.5 - center.y);
    blend(x, y, color, alpha * edge_coverage(distance - radius));
  });
}

void Canvas::draw_lines(const std::vector<Point>& points, double width, Color color, double alpha) {
  // All segments go into one mask first: blended one by one, their soft edges would add up at every joint.
  std::vector<float> mask(pixels_.size());  // [height, width]
  const double reach = width / 2 + 1;
  for (size_t i = 0; i + 1 < points.size(); ++i) {
    const Point a = points[i], b = points[i + 1];
    const Box box = {std::min(a.x, b.x) - reach, std::min(a.y, b.y) - reach, std::max(a.x, b.x) + reach,
                     std::max(a.y, b.y) + reach};
    for_pixels(box, [&](int x, int y) {
      const double distance = distance_to_segment({x + 0.5, y + 0.5}, a, b);
      float& coverage = mask[static_cast<size_t>(y) * static_cast<size_t>(width_) + static_cast<size_t>(x)];
      coverage = std::max(coverage, static_cast<float>(edge_coverage(distance - width / 2)));
    });
  }
  for_pixels(clip_, [&](int x, int y) {
    blend(x, y, color, alpha * mask[static_cast<size_t>(y) * static_cast<size_t>(width_) + static_cast<size_t>(x)]);
  });
}

void Canvas::draw_box(Box box, double width, Color color) {
  fill_box({box.left, box.top, box.right, box.top + width}, color);
  fill_box({box.left, box.bottom - width, box.right, box.bottom}, color);
  fill_box({box.left, box.top + width, box.left + width, box.bottom - width}, color);
  fill_box({box.right - width, box.top + width, box.right, box.bottom - width}, color);
}

void Canvas::draw_text(Point at, std::string_view text, Color color, int scale, Align align) {
  const int extent = text_size(text, scale).first;
  const double shift = align == Align::left ? 0 : align == Align::center ? extent / 2.0 : extent;
  const double left = std::round(at.x - shift),
               top = std::round(at.y);  // whole pixels keep the letters sharp
  for (size_t i = 0; i < text.size(); ++i) {
    const bool printable = text[i] >= ' ' && text[i] <= '~';
    const uint8_t* columns = kFont[printable ? text[i] - ' ' : '?' - ' '];
    for (int column = 0; column < kGlyphWidth; ++column) {
      for (int row = 0; row < kGlyphHeight; ++row) {
        if (!(columns[column] >> row & 1)) continue;
        const double x = left + (static_cast<double>(i) * (kGlyphWidth + 1) + column) * scale, y = top + row * scale;
        fill_box({x, y, x + scale, y + scale}, color);
      }
    }
  }
}

RgbImage Canvas::image() const {
  RgbImage image{width_, height_, {}};
  image.pixels.reserve(3 * pixels_.size());
  for (const Color& p : pixels_) image.pixels.insert(image.pixels.end(), {to_byte(p.r), to_byte(p.g), to_byte(p.b)});
  return image;
}

}  // namespace forger
