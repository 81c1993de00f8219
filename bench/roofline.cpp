#include "bench/roofline.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "kernels/common/errors.h"

namespace forger {
namespace {

constexpr double kLeft = 80, kTop = 56, kWidth = 820, kHeight = 500, kLegend = 230;

/// A logarithmic axis between whole powers of ten.
struct LogAxis {
  int low, high;    // exponents
  double from, to;  // pixels

  double at(double value) const { return from + (std::log10(value) - low) / (high - low) * (to - from); }
};

LogAxis axis_around(double least, double most, double from, double to) {
  const int low = static_cast<int>(std::floor(std::log10(least))), high = static_cast<int>(std::ceil(std::log10(most)));
  return {low, std::max(high, low + 1), from, to};
}

std::string escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out += c;
  }
  return out;
}

std::string power_of_ten(int exponent) {
  if (exponent < 0) return fmt::format("{:.{}f}", std::pow(10, exponent), -exponent);
  return exponent < 6 ? fmt::format("{:.0f}", std::pow(10, exponent)) : fmt::format("1e{}", exponent);
}

std::string text(double x, double y, const std::string& what, const std::string& more = "") {
  return fmt::format("<text x='{:.1f}' y='{:.1f}' {}>{}</text>\n", x, y, more, escaped(what));
}

std::string line(double x1, double y1, double x2, double y2, const std::string& style) {
  return fmt::format("<line x1='{:.1f}' y1='{:.1f}' x2='{:.1f}' y2='{:.1f}' {}/>\n", x1, y1, x2, y2, style);
}

/// One colour per op, in the order of the legend: told apart in print and by most who see few colours (Okabe and Ito 2008).
constexpr const char* kColors[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c8c00", "#555555"};

struct Disc {
  const KernelTime* kernel;
  double intensity, share;
};

}  // namespace

std::string roofline_svg(std::span<const KernelTime> kernels, const Ceilings& ceilings, const std::string& title) {
  std::vector<Disc> discs;
  double total = 0;
  const std::string* problem = nullptr;
  for (const KernelTime& k : kernels) {
    const bool first = !problem || *problem != k.node;
    problem = &k.node;
    if (!first) continue;
    const double time = k.cold.median * static_cast<double>(k.uses);
    total += time;
    if (k.gflops > 0 && k.gbps > 0) discs.push_back({&k, k.gflops / k.gbps, time});
  }
  if (discs.empty()) fail<ConfigError>("no kernel to draw: none of the step's kernels does arithmetic");
  std::map<std::string, double> time_of_op;
  for (Disc& d : discs) {
    d.share /= total;
    time_of_op[d.kernel->op] += d.share;
  }
  // Large discs first, so that small ones stay visible; ops by their time.
  std::sort(discs.begin(), discs.end(), [](const Disc& a, const Disc& b) { return a.share > b.share; });
  std::vector<std::pair<std::string, double>> ops(time_of_op.begin(), time_of_op.end());
  std::sort(ops.begin(), ops.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  const auto color_of = [&](const std::string& op) {
    const auto it = std::find_if(ops.begin(), ops.end(), [&](const auto& o) { return o.first == op; });
    return kColors[std::min<size_t>(static_cast<size_t>(it - ops.begin()), std::size(kColors) - 1)];
  };

  const double ridge = ceilings.gflops / ceilings.gbps;
  double least_x = ridge, most_x = ridge, least_y = ceilings.gflops, most_y = ceilings.gflops;
  for (const Disc& d : discs) {
    least_x = std::min(least_x, d.intensity), most_x = std::max(most_x, d.intensity);
    least_y = std::min(least_y, d.kernel->gflops), most_y = std::max(most_y, d.kernel->gflops);  // caches beat a copy
  }
  const LogAxis x = axis_around(least_x, most_x, kLeft, kLeft + kWidth);
  const LogAxis y = axis_around(least_y, most_y, kTop + kHeight, kTop);

  std::string svg = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {0:.0f} {1:.0f}' width='{0:.0f}' height='{1:.0f}' "
      "font-family='sans-serif' font-size='13'>\n<rect width='100%' height='100%' fill='white'/>\n",
      kLeft + kWidth + kLegend + 20, kTop + kHeight + 60);
  svg += text(kLeft, 28, title, "font-size='16' font-weight='bold'");
  for (int e = x.low; e <= x.high; ++e) {
    const double at = x.at(std::pow(10, e));
    svg += line(at, kTop, at, kTop + kHeight, "stroke='#e4e4e8'");
    svg += text(at, kTop + kHeight + 20, power_of_ten(e), "text-anchor='middle'");
  }
  for (int e = y.low; e <= y.high; ++e) {
    const double at = y.at(std::pow(10, e));
    svg += line(kLeft, at, kLeft + kWidth, at, "stroke='#e4e4e8'");
    svg += text(kLeft - 8, at + 4, power_of_ten(e), "text-anchor='end'");
  }
  svg += text(kLeft + kWidth / 2, kTop + kHeight + 44, "FLOP per byte", "text-anchor='middle'");
  svg += text(kLeft, kTop - 8, "GFLOP/s");

  for (const Disc& d : discs) {
    const KernelTime& k = *d.kernel;
    svg += fmt::format(
        "<circle cx='{:.1f}' cy='{:.1f}' r='{:.1f}' fill='{}' fill-opacity='0.6' stroke='white'><title>{}</title></circle>\n",
        x.at(d.intensity), y.at(k.gflops), 3 + 60 * std::sqrt(d.share), color_of(k.op),
        escaped(fmt::format("{} ({}) {}: {:.3f} ms x {}, {:.0f} GFLOP/s, {:.0f} GB/s, {:.0f} % of the roof", k.kernel, k.node,
                            k.output, k.cold.median, k.uses, k.gflops, k.gbps, 100 * k.ceiling)));
  }
  // The roof: memory's slope from where it enters the picture, arithmetic's flat part.
  const double left = std::max(std::pow(10, x.low), std::pow(10, y.low) / ceilings.gbps);
  const std::string roof = "stroke='#222222' stroke-width='2'";
  svg += line(x.at(left), y.at(left * ceilings.gbps), x.at(ridge), y.at(ceilings.gflops), roof);
  svg += line(x.at(ridge), y.at(ceilings.gflops), kLeft + kWidth, y.at(ceilings.gflops), roof);
  svg += text(kLeft + kWidth - 4, y.at(ceilings.gflops) - 6, fmt::format("matrix product: {:.0f} GFLOP/s", ceilings.gflops),
              "text-anchor='end'");
  svg += text(x.at(left) + 10, y.at(left * ceilings.gbps) - 6, fmt::format("copy: {:.0f} GB/s", ceilings.gbps));

  double row = kTop + 10;
  svg += text(kLeft + kWidth + 24, row, "share of the step's time", "font-weight='bold'");
  // What has a colour of its own, and the rest together.
  constexpr size_t kNamed = std::size(kColors) - 1;
  for (size_t i = kNamed; i + 1 < ops.size(); ++i) ops.back().second += ops[i].second;
  if (ops.size() > kNamed + 1) {
    ops[kNamed] = {"all others", ops.back().second};
    ops.resize(kNamed + 1);
  }
  for (const auto& [op, share] : ops) {
    row += 20;
    svg += fmt::format("<circle cx='{:.1f}' cy='{:.1f}' r='6' fill='{}' fill-opacity='0.6'/>\n", kLeft + kWidth + 30, row - 4,
                       color_of(op));
    svg += text(kLeft + kWidth + 42, row, fmt::format("{} {:.1f} %", op, 100 * share));
  }
  return svg + "</svg>\n";
}

}  // namespace forger
