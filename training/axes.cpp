#include "training/axes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace forger {
namespace {

constexpr int kTextScale = 2, kTextHeight = 14, kGlyphAdvance = 12;
constexpr int kMostTicks = 7;
constexpr double kTickLength = 5;

double tick_step(Range range, int most) {
  const double smallest = (range.high - range.low) / most;
  const double power = std::pow(10, std::floor(std::log10(smallest)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= smallest * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

}  // namespace

Range quantile_range(std::span<const float> values, double low, double high) {
  std::vector<float> finite;
  std::copy_if(values.begin(), values.end(), std::back_inserter(finite), [](float v) { return std::isfinite(v); });
  if (finite.empty()) return {};
  const auto quantile = [&](double q) -> double {
    const auto nth = finite.begin() + static_cast<std::ptrdiff_t>(std::lround(q * static_cast<double>(finite.size() - 1)));
    std::nth_element(finite.begin(), nth, finite.end());
    return *nth;
  };
  const double first = quantile(low);
  return {first, quantile(high)};
}

Range united(Range a, Range b) {
  return {std::min(a.low, b.low), std::max(a.high, b.high)};
}

Range widened(Range range, double share) {
  const double extent = range.high - range.low;
  // A single value, or what looks like one in a label, gets a range of its own size around it: its ticks have
  // sensible numbers, and steps between them that a double can count.
  const double size = std::max(std::fabs(range.low), std::fabs(range.high));
  const double margin = extent > 1e-6 * size ? share * extent : std::max(0.5 * size, 0.5);
  return {range.low - margin, range.high + margin};
}

std::vector<double> round_ticks(Range range, int most) {
  const double step = tick_step(range, most);
  std::vector<double> ticks;
  const double slack = 1e-9 * (range.high - range.low);  // a tick at the very end of the range is inside
  for (double i = std::ceil((range.low - slack) / step); i * step <= range.high + slack; ++i) ticks.push_back(i * step);
  return ticks;
}

std::string tick_label(double value, double step) {
  if (std::fabs(value) < 1e-9 * step) return "0";
  if (std::fabs(value) >= 1e6 || step < 1e-4) return fmt::format("{:.3g}", value);
  const int digits = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  return fmt::format("{:.{}f}", value, digits);
}

Axes::Axes(int width, int height, Range x, Range y, const std::string& title, std::span<const LegendEntry> legend,
           const std::string& x_label)
    : canvas_(width, height, kWhite), x_(x), y_(y) {
  size_t longest = 0;
  const std::vector<double> ticks = round_ticks(y_, kMostTicks);
  for (const double v : ticks) longest = std::max(longest, tick_label(v, tick_step(y_, kMostTicks)).size());
  area_.left = 24 + static_cast<double>(longest) * kGlyphAdvance;
  area_.right = width - 24.0;
  area_.top = draw_head(title, legend);
  area_.bottom = height - (x_label.empty() ? 40.0 : 62.0);
  canvas_.draw_text({(area_.left + area_.right) / 2, height - 26.0}, x_label, kBlack, kTextScale, Align::center);
  draw_ticks();
  canvas_.set_clip(area_);
}

double Axes::draw_head(const std::string& title, std::span<const LegendEntry> legend) {
  constexpr double kLine = 24, kSwatch = 14, kSpace = 8, kBetween = 24;
  const auto entry_width = [](const LegendEntry& e) { return kSwatch + kSpace + text_size(e.text, kTextScale).first; };
  double y = 16;
  canvas_.draw_text({area_.left, y}, title, kBlack, kTextScale);
  double total = kBetween * (static_cast<double>(legend.size()) - 1);
  for (const LegendEntry& entry : legend) total += entry_width(entry);
  // To the right of the title, or in as many lines below it as are needed.
  double x = area_.right - total;
  if (x < area_.left + text_size(title, kTextScale).first + kBetween) {
    x = area_.left;
    y += kLine;
  }
  for (const LegendEntry& entry : legend) {
    if (x > area_.left && x + entry_width(entry) > area_.right + 0.5) {
      x = area_.left;
      y += kLine;
    }
    canvas_.fill_box({std::round(x), y, std::round(x) + kSwatch, y + kSwatch}, entry.color);
    canvas_.draw_text({x + kSwatch + kSpace, y}, entry.text, kBlack, kTextScale);
    x += entry_width(entry) + kBetween;
  }
  return y + kTextHeight + 14;
}

Point Axes::at(double x, double y) const {
  return {area_.left + (x - x_.low) / (x_.high - x_.low) * (area_.right - area_.left),
          area_.bottom - (y - y_.low) / (y_.high - y_.low) * (area_.bottom - area_.top)};
}

void Axes::draw_ticks() {
  for (const double v : round_ticks(x_, kMostTicks)) {
    const double px = std::round(at(v, 0).x);
    canvas_.fill_box({px, area_.top, px + 1, area_.bottom}, kGridColor);
    canvas_.fill_box({px, area_.bottom, px + 1, area_.bottom + kTickLength}, kBlack);
    canvas_.draw_text({px + 1, area_.bottom + kTickLength + 5}, tick_label(v, tick_step(x_, kMostTicks)), kBlack, kTextScale,
                      Align::center);
  }
  for (const double v : round_ticks(y_, kMostTicks)) {
    const double py = std::round(at(0, v).y);
    canvas_.fill_box({area_.left, py, area_.right, py + 1}, kGridColor);
    canvas_.fill_box({area_.left - kTickLength, py, area_.left, py + 1}, kBlack);
    canvas_.draw_text({area_.left - kTickLength - 5, py - kTextHeight / 2.0}, tick_label(v, tick_step(y_, kMostTicks)), kBlack,
                      kTextScale, Align::right);
  }
}

void Axes::finish(const std::string& path) {
  canvas_.clear_clip();
  canvas_.draw_box({area_.left - 1, area_.top - 1, area_.right + 1, area_.bottom + 1}, 1, kBlack);
  write_png(path, canvas_.image());
}

}  // namespace forger
