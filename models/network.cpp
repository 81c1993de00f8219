#include "models/network.h"

#include <algorithm>

namespace forger {

Value Network::variable(const std::string& name, Shape shape, Initializer initializer, bool trainable) {
  if (const auto it = values_.find(name); it != values_.end()) {
    if (it->second.shape() != shape) {
      fail<ShapeError>("{}/{}: is {}, a second use needs {}", name_, name, to_string(it->second.shape()), to_string(shape));
    }
    return it->second;
  }
  const Value value = graph_->variable(name_ + "/" + name, {graph_->real(), std::move(shape)}, initializer, trainable);
  values_.emplace(name, value);
  if (trainable) parameters_.push_back(name);
  return value;
}

Value Network::parameter(const std::string& name, Shape shape, Initializer initializer) {
  return variable(name, std::move(shape), initializer, true);
}

Value Network::state(const std::string& name, Shape shape, Initializer initializer) {
  return variable(name, std::move(shape), initializer, false);
}

void Network::set(const std::string& name, Value value) {
  values_.at(name) = value;
}

std::vector<Value> Network::parameters() const {
  std::vector<Value> values;
  for (const std::string& name : parameters_) values.push_back(get(name));
  return values;
}

void Network::add_row(LayerRow row) {
  const auto same = [&](const LayerRow& r) { return r.name == row.name; };
  if (std::none_of(rows_.begin(), rows_.end(), same)) rows_.push_back(std::move(row));
}

int64_t Network::num_parameters(bool trainable) const {
  int64_t n = 0;
  for (const auto& [name, value] : values_) {
    const bool is_trainable = std::find(parameters_.begin(), parameters_.end(), name) != parameters_.end();
    if (is_trainable == trainable) n += value.type().size();
  }
  return n;
}

void Network::commit() {
  for (const auto& [name, value] : values_) graph_->update(name_ + "/" + name, value);
}

}  // namespace forger
