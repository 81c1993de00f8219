#include "training/holdout_gap.h"

#include <algorithm>
#include <numeric>

#include "models/gan_networks.h"

namespace forger {
namespace {

constexpr int64_t kImages = 128;  // of each kind: the mean of D's outputs is known to a few hundredths

}  // namespace

HoldoutGap::HoldoutGap(const Recipe& recipe, const Config& config, const RealData& data, const Backend& backend,
                       VariableStore& variables) {
  const GanNetworks networks(recipe, config, data.sample_shape());
  if (networks.pack_size() > 1 || networks.classes() > 0) return;
  held_out_ = held_out_samples(config, kImages);
  if (held_out_.empty()) return;
  train_ = real_images(data, kImages);
  const size_t both = std::min(train_.size(), held_out_.size());
  train_.resize(both);
  held_out_.resize(both);
  const int64_t count = static_cast<int64_t>(both) / num_elements(data.sample_shape());
  session_ = std::make_unique<Session>(
      compile(build_critic(recipe, config, data.sample_shape(), count), backend.providers, backend.target), variables,
      static_cast<uint64_t>(config.integer("seed")));
}

std::optional<HoldoutGap::Means> HoldoutGap::operator()() {
  if (!session_) return {};
  return Means{mean_output(train_), mean_output(held_out_)};
}

double HoldoutGap::mean_output(const std::vector<float>& samples) {
  session_->feed("samples", samples.data());
  session_->run();
  const std::vector<double> d = session_->output("d");
  return std::accumulate(d.begin(), d.end(), 0.0) / static_cast<double>(d.size());
}

}  // namespace forger
