// The messages of onnx.proto that a model needs, with their field numbers.
#pragma once

#include <span>
#include <string>
#include <variant>
#include <vector>

#include "training/protobuf.h"

namespace forger::onnx {

using Attribute = std::variant<int64_t, float, std::vector<int64_t>>;
using NamedAttributes = std::vector<std::pair<std::string, Attribute>>;

/// A dimension: a number, or the name of one that varies.
using Dimension = std::variant<int64_t, std::string>;

/// Collects nodes and weights; every name is used once.
class Model {
 public:
  void node(const std::string& op, const std::vector<std::string>& inputs, const std::string& output,
            const NamedAttributes& attributes = {});
  void weight(const std::string& name, std::span<const int64_t> shape, std::span<const float> values);
  void weight(const std::string& name, std::span<const int64_t> values);  // i64 [n]
  void input(const std::string& name, const std::vector<Dimension>& shape);
  void output(const std::string& name, const std::vector<Dimension>& shape);

  /// The whole ModelProto.
  std::string serialized(const std::string& name, const std::string& description) const;

 private:
  void value(int field, const std::string& name, const std::vector<Dimension>& shape);

  ProtoMessage graph_;
};

}  // namespace forger::onnx
