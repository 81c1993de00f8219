// Pictures with axes: points, distributions, curves.
#include <algorithm>
#include <cmath>

#include "kernels/common/errors.h"
#include "training/axes.h"
#include "training/canvas.h"
#include "training/pictures.h"

namespace forger {
namespace {

/// All of the real values, and of the fake ones those that are not outliers: a generator that is far off must
/// be seen, but one sample at a million must not squash the plot.
Range common_range(std::span<const float> real, std::span<const float> fake) {
  const Range all_real = quantile_range(real, 0, 1);
  return widened(fake.empty() ? all_real : united(all_real, quantile_range(fake, 0.01, 0.99)), 0.06);
}

bool inside(float v, Range range) {
  return v >= range.low && v <= range.high;
}

/// A legend's text that owns up to what the plot does not show.
std::string legend_text(const char* name, int64_t hidden) {
  return hidden == 0 ? name : fmt::format("{} ({} out of view)", name, hidden);
}

/// Every second coordinate, from the first (0) or the second (1).
std::vector<float> coordinates(std::span<const float> points, size_t axis) {
  std::vector<float> values;
  for (size_t i = axis; i < points.size(); i += 2) values.push_back(points[i]);
  return values;
}

int64_t count_outside(std::span<const float> points, Range x, Range y) {
  int64_t count = 0;
  for (size_t i = 0; i + 1 < points.size(); i += 2) count += !(inside(points[i], x) && inside(points[i + 1], y));
  return count;
}

/// Draws both sets in turn, each evenly over the whole sequence: drawn one after the other, the second would
/// hide the first wherever they are dense.
void draw_points(Axes& axes, std::span<const float> real, std::span<const float> fake) {
  const size_t reals = real.size() / 2, fakes = fake.size() / 2, total = reals + fakes;
  // Many points are small and pale, so that densities show.
  const double n = std::max(1.0, static_cast<double>(total) / 2);
  const double radius = std::clamp(90 / std::sqrt(n), 1.8, 3.5), alpha = std::clamp(25 / std::sqrt(n), 0.35, 0.8);
  size_t next_real = 0, next_fake = 0;
  while (next_real + next_fake < total) {
    const bool take_fake = next_real == reals || (next_fake < fakes && next_fake * reals < next_real * fakes);
    const float* p = take_fake ? &fake[2 * next_fake++] : &real[2 * next_real++];
    if (!inside(p[0], axes.x_range()) || !inside(p[1], axes.y_range())) continue;
    axes.canvas().fill_disc(axes.at(p[0], p[1]), radius, take_fake ? kFakeColor : kRealColor, alpha);
  }
}

/// The density of the values in each bin: all bins together have the area of the share of values that lie in
/// the range.
std::vector<double> densities(std::span<const float> values, Range range, int bins) {
  std::vector<double> density(static_cast<size_t>(bins));
  const double width = (range.high - range.low) / bins;
  for (const float v : values) {
    if (!inside(v, range)) continue;
    const int bin = std::min(bins - 1, static_cast<int>((v - range.low) / width));
    density[static_cast<size_t>(bin)] += 1 / (static_cast<double>(values.size()) * width);
  }
  return density;
}

int64_t count_outside(std::span<const float> values, Range range) {
  return std::count_if(values.begin(), values.end(), [&](float v) { return !inside(v, range); });
}

void draw_density(Axes& axes, const std::vector<double>& density, Color color) {
  const Range x = axes.x_range();
  const double width = (x.high - x.low) / static_cast<double>(density.size());
  std::vector<Point> outline = {axes.at(x.low, 0)};
  for (size_t i = 0; i < density.size(); ++i) {
    // Whole pixels: two half-covered columns at each border would show as stripes.
    Point a = axes.at(x.low + static_cast<double>(i) * width, density[i]);
    Point b = axes.at(x.low + static_cast<double>(i + 1) * width, 0);
    a.x = std::round(a.x), b.x = std::round(b.x);
    axes.canvas().fill_box({a.x, a.y, b.x, b.y}, color, 0.22);
    outline.push_back(a);
    outline.push_back({b.x, a.y});
  }
  outline.push_back(axes.at(x.high, 0));
  axes.canvas().draw_lines(outline, 2, color, 0.85);
}

constexpr Color kPalette[] = {{0.12f, 0.40f, 0.80f}, {0.93f, 0.46f, 0.08f}, {0.17f, 0.60f, 0.27f},
                              {0.80f, 0.15f, 0.20f}, {0.50f, 0.33f, 0.70f}, {0.45f, 0.33f, 0.28f}};

/// Draws the line in pieces, interrupted where a value is not finite.
void draw_series(Axes& axes, const Series& series, Color color) {
  std::vector<Point> piece;
  const auto draw = [&] {
    if (piece.size() == 1) axes.canvas().fill_disc(piece[0], 2.5, color);
    if (piece.size() > 1) axes.canvas().draw_lines(piece, 2, color, 0.9);
    piece.clear();
  };
  for (size_t i = 0; i < series.values.size(); ++i) {
    if (std::isfinite(series.values[i])) {
      piece.push_back(axes.at(series.steps[i], series.values[i]));
    } else {
      draw();
    }
  }
  draw();
}

void draw_reference(Axes& axes, const ReferenceLine& reference) {
  constexpr double kDash = 10;
  const Box& area = axes.area();
  const double y = std::round(axes.at(0, reference.value).y);
  for (double x = area.left; x < area.right; x += 2 * kDash) {
    axes.canvas().fill_box({x, y - 0.5, x + kDash, y + 1}, {0.35f, 0.35f, 0.4f});
  }
  const double text_y = y - 20 < area.top ? y + 6 : y - 20;
  const auto [width, height] = text_size(reference.label, 2);
  axes.canvas().fill_box({area.left + 6, text_y - 2, area.left + 14 + width, text_y + height + 2}, kWhite, 0.8);
  axes.canvas().draw_text({area.left + 10, text_y}, reference.label, {0.35f, 0.35f, 0.4f}, 2);
}

}  // namespace

void write_scatter(const std::string& path, std::span<const float> real, std::span<const float> fake) {
  if (real.size() % 2 != 0 || fake.size() % 2 != 0) {
    fail<ShapeError>("{}: {} real and {} fake coordinates, expected pairs", path, real.size(), fake.size());
  }
  Range range[2];
  for (size_t axis = 0; axis < 2; ++axis) range[axis] = common_range(coordinates(real, axis), coordinates(fake, axis));
  // The same unit on both axes: a circle is round. The plot's area is nearly square, so both get the larger
  // extent.
  const double half = std::max(range[0].high - range[0].low, range[1].high - range[1].low) / 2;
  for (Range& r : range) {
    const double middle = (r.low + r.high) / 2;
    r = {middle - half, middle + half};
  }
  const LegendEntry legend[] = {{legend_text("real", count_outside(real, range[0], range[1])), kRealColor},
                                {legend_text("fake", count_outside(fake, range[0], range[1])), kFakeColor}};
  Axes axes(720, 720, range[0], range[1], "Real and fake data", legend);
  draw_points(axes, real, fake);
  axes.finish(path);
}

void write_histogram(const std::string& path, std::span<const float> real, std::span<const float> fake, int bins) {
  if (bins < 1 || bins > 1000) fail<ConfigError>("{}: {} bins, expected 1 to 1000", path, bins);
  const Range x = common_range(real, fake);
  const std::vector<double> real_density = densities(real, x, bins), fake_density = densities(fake, x, bins);
  const double highest = std::max(*std::max_element(real_density.begin(), real_density.end()),
                                  *std::max_element(fake_density.begin(), fake_density.end()));
  const LegendEntry legend[] = {{legend_text("real", count_outside(real, x)), kRealColor},
                                {legend_text("fake", count_outside(fake, x)), kFakeColor}};
  Axes axes(760, 480, x, {0, highest > 0 ? 1.08 * highest : 1}, "Distributions", legend);
  draw_density(axes, real_density, kRealColor);
  draw_density(axes, fake_density, kFakeColor);
  axes.finish(path);
}

void write_curves(const std::string& path, const std::string& title, std::span<const Series> series,
                  const std::optional<ReferenceLine>& reference) {
  std::vector<float> steps, values;
  for (const Series& s : series) {
    if (s.steps.size() != s.values.size()) {
      fail<ShapeError>("{}: series '{}' has {} steps and {} values", path, s.name, s.steps.size(), s.values.size());
    }
    steps.insert(steps.end(), s.steps.begin(), s.steps.end());
    values.insert(values.end(), s.values.begin(), s.values.end());
  }
  Range y = quantile_range(values, 0.002, 0.998);  // a single spike may leave the plot
  if (reference) y = united(y, {reference->value, reference->value});
  Range x = quantile_range(steps, 0, 1);
  if (x.high - x.low <= 1e-6 * x.high) x = widened(x, 0);  // a single step
  std::vector<LegendEntry> legend;
  for (const Series& s : series) legend.push_back({s.name, kPalette[legend.size() % std::size(kPalette)]});
  Axes axes(760, 480, x, widened(y, 0.06), title, legend, "step");
  for (size_t i = 0; i < series.size(); ++i) draw_series(axes, series[i], legend[i].color);
  if (reference) draw_reference(axes, *reference);
  axes.finish(path);
}

}  // namespace forger
