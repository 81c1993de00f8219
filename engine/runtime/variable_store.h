// The state of a run, by name: weights, moments, running statistics, counters. Programs share it: training updates
// what sampling reads.
#pragma once

#include <algorithm>
#include <map>

#include "engine/graph/graph.h"
#include "engine/runtime/device.h"

namespace forger {

class VariableStore {
 public:
  explicit VariableStore(Device& device) : device_(device) {}

  struct Entry {
    TensorType type;
    Buffer buffer;
  };

  /// Adds every variable of `graph` that is not there yet, with its initial value. The numbers depend on the seed and
  /// on the variable's name alone: Philox with the name's stream, computed in double, on the host.
  /// Throws ShapeError if a variable is there with another type.
  void add(const Graph& graph, uint64_t seed);

  /// Throws ConfigError for a name that is not there.
  Entry& at(const std::string& name);
  const Entry& at(const std::string& name) const;
  bool contains(const std::string& name) const { return entries_.contains(name); }
  const std::map<std::string, Entry>& entries() const { return entries_; }
  Device& device() const { return device_; }

  std::vector<std::byte> read(const std::string& name) const;
  /// Throws ShapeError if the number of bytes differs.
  void write(const std::string& name, std::span<const std::byte> bytes);
  template <class T>
  T read_scalar(const std::string& name) const {
    T value{};
    const auto bytes = read(name);
    if (bytes.size() != sizeof(T)) fail<ShapeError>("{}: {} bytes, expected a scalar of {}", name, bytes.size(), sizeof(T));
    std::copy_n(bytes.data(), sizeof(T), reinterpret_cast<std::byte*>(&value));
    return value;
  }

 private:
  Device& device_;
  std::map<std::string, Entry> entries_;
};

}  // namespace forger
