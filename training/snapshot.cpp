#include "training/snapshot.h"

#include <algorithm>
#include <cmath>

namespace forger {
namespace {

constexpr size_t kMostNumbers = 65536;

/// What an optimizer keeps of every parameter, and of nothing else.
std::string slot_of(const Config& config) {
  const std::string& kind = config.text("optimizer");
  return kind + (kind == "adam" ? "/m/" : kind == "sgd" ? "/velocity/" : "/mean_square/");
}

}  // namespace

void Snapshot::take(const VariableStore& variables) {
  Device& device = variables.device();
  for (const auto& [name, entry] : variables.entries()) {
    auto it = contents_.find(name);
    if (it == contents_.end()) it = contents_.emplace(name, Buffer(device, entry.type.bytes())).first;
    device.copy(it->second.data(), entry.buffer.data(), entry.type.bytes());
  }
}

void Snapshot::restore(VariableStore& variables) const {
  for (const auto& [name, buffer] : contents_) {
    const auto& entry = variables.at(name);
    variables.device().copy(entry.buffer.data(), buffer.data(), entry.type.bytes());
  }
}

double Snapshot::update_ratio(const VariableStore& now, const Config& config, const std::string& network) const {
  const std::string slots = network + "/" + slot_of(config);
  double changes = 0, sizes = 0;
  std::vector<float> before, after;
  for (auto it = now.entries().lower_bound(slots); it != now.entries().end() && it->first.starts_with(slots); ++it) {
    const std::string parameter = network + "/" + it->first.substr(slots.size());
    const auto& entry = now.at(parameter);
    const size_t n = std::min(entry.type.bytes() / sizeof(float), kMostNumbers);
    before.resize(n);
    after.resize(n);
    now.device().download(before.data(), contents_.at(parameter).data(), n * sizeof(float));
    now.device().download(after.data(), entry.buffer.data(), n * sizeof(float));
    for (size_t i = 0; i < n; ++i) {
      const double then = static_cast<double>(before[i]), change = static_cast<double>(after[i]) - then;
      changes += change * change;
      sizes += then * then;
    }
  }
  return std::sqrt(changes / sizes);
}

}  // namespace forger
