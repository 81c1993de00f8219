#include "training/critic_view.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "models/gan_networks.h"
#include "training/axes.h"
#include "training/loss_balance.h"

namespace forger {
namespace {

constexpr int64_t kLinePoints = 201, kPlanePoints = 48, kMostSamples = 500;

/// Four digits are more than a picture shows; fewer would step.
double rounded(double value) {
  return std::isfinite(value) ? std::round(value * 1e4) / 1e4 : 0.0;
}

nlohmann::json rows(const std::vector<float>& values, int64_t dims) {
  nlohmann::json list = nlohmann::json::array();
  const int64_t n = std::min(static_cast<int64_t>(values.size()) / dims, kMostSamples);
  for (int64_t i = 0; i < n; ++i) {
    nlohmann::json row = nlohmann::json::array();
    for (int64_t d = 0; d < dims; ++d) row.push_back(rounded(static_cast<double>(values[static_cast<size_t>(i * dims + d)])));
    list.push_back(std::move(row));
  }
  return list;
}

Range range_of(const std::vector<float>& reals, const std::vector<float>& fakes, int64_t dims, int64_t axis) {
  const auto column = [&](const std::vector<float>& values) {
    std::vector<float> one;
    for (size_t i = static_cast<size_t>(axis); i < values.size(); i += static_cast<size_t>(dims)) one.push_back(values[i]);
    return one;
  };
  return widened(united(quantile_range(column(reals), 0, 1), quantile_range(column(fakes), 0.02, 0.98)), 0.08);
}

}  // namespace

CriticView::CriticView(const Recipe& recipe, const Config& config, const Shape& sample, const Backend& backend,
                       VariableStore& variables, const std::vector<float>& reals)
    : reals_(reals), dims_(num_elements(sample)), per_axis_(dims_ == 1 ? kLinePoints : kPlanePoints) {
  const GanNetworks networks(recipe, config, sample);
  if (recipe.kind != SampleKind::points || dims_ > 2 || !shows_probabilities(config)) return;
  if (networks.pack_size() > 1 || networks.classes() > 0) return;  // such a D judges no sample by itself
  const int64_t count = dims_ == 1 ? per_axis_ : per_axis_ * per_axis_;
  session_ = std::make_unique<Session>(compile(build_critic(recipe, config, sample, count), backend.providers, backend.target),
                                       variables, static_cast<uint64_t>(config.integer("seed")));
}

std::string CriticView::json(const std::vector<float>& fakes) {
  if (!session_) return "";
  nlohmann::json json;
  std::vector<std::vector<double>> axes;
  for (int64_t d = 0; d < dims_; ++d) {
    const Range range = range_of(reals_, fakes, dims_, d);
    json["range"].push_back({rounded(range.low), rounded(range.high)});
    std::vector<double> axis;  // centres of cells
    for (int64_t i = 0; i < per_axis_; ++i) {
      const double share = (static_cast<double>(i) + 0.5) / static_cast<double>(per_axis_);
      axis.push_back(rounded(range.low + share * (range.high - range.low)));
    }
    json["x"].push_back(axis);
    axes.push_back(std::move(axis));
  }
  const int64_t count = dims_ == 1 ? per_axis_ : per_axis_ * per_axis_;
  std::vector<float> grid;
  for (int64_t i = 0; i < count; ++i) {
    grid.push_back(static_cast<float>(axes[0][static_cast<size_t>(i % per_axis_)]));
    if (dims_ == 2) grid.push_back(static_cast<float>(axes[1][static_cast<size_t>(i / per_axis_)]));
  }
  session_->feed("samples", grid.data());
  session_->run();
  for (const double d : session_->output("d")) json["d"].push_back(rounded(d));
  json["real"] = rows(reals_, dims_);
  json["fake"] = rows(fakes, dims_);
  return json.dump();
}

}  // namespace forger
