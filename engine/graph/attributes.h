// The constants of a node: strides, rates, axes. Small, ordered by name, comparable (for common subexpressions).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "kernels/common/elementwise.h"
#include "kernels/common/errors.h"

namespace forger {

class Graph;

/// A graph inside a node: shared by the node's copies and never changed. Equal if the same ops compute the same outputs
/// from the same inputs with the same attributes; paths do not count.
struct Subgraph {
  std::shared_ptr<const Graph> graph;

  bool operator==(const Subgraph& other) const;
};

using AttributeValue = std::variant<int64_t, double, std::string, std::vector<int64_t>, ElementwiseTape, Subgraph>;

class Attributes {
 public:
  Attributes() = default;
  Attributes(std::initializer_list<std::pair<const std::string, AttributeValue>> values) : values_(values) {}

  /// The attribute `name`, which must exist with type T: a node without it was built wrongly.
  template <class T>
  const T& get(const std::string& name) const {
    const auto it = values_.find(name);
    if (it == values_.end() || !std::holds_alternative<T>(it->second)) {
      fail<Error>("attribute '{}' is missing or has another type", name);
    }
    return std::get<T>(it->second);
  }
  int64_t integer(const std::string& name) const { return get<int64_t>(name); }
  double real(const std::string& name) const { return get<double>(name); }
  const std::string& text(const std::string& name) const { return get<std::string>(name); }
  const std::vector<int64_t>& list(const std::string& name) const { return get<std::vector<int64_t>>(name); }

  bool has(const std::string& name) const { return values_.contains(name); }
  void set(const std::string& name, AttributeValue value) { values_[name] = std::move(value); }
  bool empty() const { return values_.empty(); }
  std::string to_string() const;  // "{stride=2, ...}", "" when empty

  bool operator==(const Attributes&) const = default;

 private:
  std::map<std::string, AttributeValue> values_;
};

}  // namespace forger
