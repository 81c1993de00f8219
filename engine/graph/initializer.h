// How a variable gets its first value.
#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>

namespace forger {

struct Initializer {
  enum class Kind { constant, uniform, normal };
  Kind kind = Kind::constant;
  double a = 0;         // constant: the value; uniform: lower bound; normal: mean
  double b = 0;         // uniform: upper bound; normal: standard deviation
  uint64_t stream = 0;  // of the random numbers; 0: that of the variable's own name

  /// Starts as a copy of the variable `name`, whose initializer this is.
  Initializer like(std::string_view name) const;

  static Initializer zeros() { return {}; }
  static Initializer ones() { return {Kind::constant, 1, 0, 0}; }
  static Initializer constant(double value) { return {Kind::constant, value, 0, 0}; }
  static Initializer uniform(double low, double high) { return {Kind::uniform, low, high, 0}; }
  static Initializer normal(double mean, double stddev) { return {Kind::normal, mean, stddev, 0}; }

  /// Glorot and Bengio 2010, equation 16: U(-l, l) with l = sqrt(6 / (fan_in + fan_out)). Keras's default.
  static Initializer glorot_uniform(int64_t fan_in, int64_t fan_out) {
    const double limit = std::sqrt(6.0 / static_cast<double>(fan_in + fan_out));
    return uniform(-limit, limit);
  }
  /// PyTorch's default for nn.Linear, weights and bias alike: U(-l, l) with l = 1 / sqrt(fan_in).
  static Initializer torch_linear(int64_t fan_in) {
    const double limit = 1.0 / std::sqrt(static_cast<double>(fan_in));
    return uniform(-limit, limit);
  }
};

/// FNV-1a of a name, cut to the 48 bits of a Philox stream: the random numbers of a node or variable depend on
/// its name alone, not on what else is in the graph.
constexpr uint64_t stream_of(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return hash >> 16;
}

inline Initializer Initializer::like(std::string_view name) const {
  Initializer copy = *this;
  copy.stream = stream_of(name);
  return copy;
}

}  // namespace forger
