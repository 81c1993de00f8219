#include "interop/onnx_model.h"

namespace forger::onnx {
namespace {

constexpr int64_t kIrVersion = 8, kOpset = 13;
// ModelProto, GraphProto
constexpr int kModelIr = 1, kModelProducer = 2, kModelGraph = 7, kModelOpset = 8, kOpsetVersion = 2;
constexpr int kGraphNode = 1, kGraphName = 2, kGraphInitializer = 5, kGraphDoc = 10, kGraphInput = 11, kGraphOutput = 12;
// NodeProto, AttributeProto
constexpr int kNodeInput = 1, kNodeOutput = 2, kNodeName = 3, kNodeOp = 4, kNodeAttribute = 5;
constexpr int kAttributeName = 1, kAttributeFloat = 2, kAttributeInt = 3, kAttributeInts = 8, kAttributeType = 20;
constexpr int64_t kTypeFloat = 1, kTypeInt = 2, kTypeInts = 7;
// TensorProto
constexpr int kTensorDims = 1, kTensorType = 2, kTensorName = 8, kTensorRaw = 9;
constexpr int64_t kFloat = 1, kInt64 = 7;
// ValueInfoProto, TypeProto, TensorShapeProto
constexpr int kValueName = 1, kValueType = 2, kTypeTensor = 1, kElement = 1, kShape = 2, kDim = 1, kDimValue = 1, kDimName = 2;

ProtoMessage attribute(const std::string& name, const Attribute& value) {
  ProtoMessage a;
  a.bytes(kAttributeName, name);
  if (const auto* i = std::get_if<int64_t>(&value)) {
    a.integer(kAttributeInt, *i).integer(kAttributeType, kTypeInt);
  } else if (const auto* f = std::get_if<float>(&value)) {
    a.real32(kAttributeFloat, *f).integer(kAttributeType, kTypeFloat);
  } else {
    a.integers(kAttributeInts, std::get<std::vector<int64_t>>(value)).integer(kAttributeType, kTypeInts);
  }
  return a;
}

template <class T>
ProtoMessage tensor(const std::string& name, int64_t type, std::span<const int64_t> shape, std::span<const T> values) {
  return ProtoMessage()
      .integers(kTensorDims, shape)
      .integer(kTensorType, type)
      .bytes(kTensorName, name)
      .bytes(kTensorRaw, {reinterpret_cast<const char*>(values.data()), values.size_bytes()});
}

}  // namespace

void Model::node(const std::string& op, const std::vector<std::string>& inputs, const std::string& output,
                 const NamedAttributes& attributes) {
  ProtoMessage node;
  for (const std::string& input : inputs) node.bytes(kNodeInput, input);
  node.bytes(kNodeOutput, output).bytes(kNodeName, output).bytes(kNodeOp, op);
  for (const auto& [name, value] : attributes) node.message(kNodeAttribute, attribute(name, value));
  graph_.message(kGraphNode, node);
}

void Model::weight(const std::string& name, std::span<const int64_t> shape, std::span<const float> values) {
  graph_.message(kGraphInitializer, tensor(name, kFloat, shape, values));
}

void Model::weight(const std::string& name, std::span<const int64_t> values) {
  const int64_t shape[] = {static_cast<int64_t>(values.size())};
  graph_.message(kGraphInitializer, tensor(name, kInt64, std::span<const int64_t>(shape), values));
}

void Model::value(int field, const std::string& name, const std::vector<Dimension>& shape) {
  ProtoMessage dims;
  for (const Dimension& d : shape) {
    ProtoMessage dim;
    if (const auto* number = std::get_if<int64_t>(&d)) dim.integer(kDimValue, *number);
    if (const auto* text = std::get_if<std::string>(&d)) dim.bytes(kDimName, *text);
    dims.message(kDim, dim);
  }
  const ProtoMessage type = ProtoMessage().message(kTypeTensor, ProtoMessage().integer(kElement, kFloat).message(kShape, dims));
  graph_.message(field, ProtoMessage().bytes(kValueName, name).message(kValueType, type));
}

void Model::input(const std::string& name, const std::vector<Dimension>& shape) {
  value(kGraphInput, name, shape);
}

void Model::output(const std::string& name, const std::vector<Dimension>& shape) {
  value(kGraphOutput, name, shape);
}

std::string Model::serialized(const std::string& name, const std::string& description) const {
  ProtoMessage graph = graph_;
  graph.bytes(kGraphName, name).bytes(kGraphDoc, description);
  return ProtoMessage()
      .integer(kModelIr, kIrVersion)
      .bytes(kModelProducer, "forger")
      .message(kModelGraph, graph)
      .message(kModelOpset, ProtoMessage().integer(kOpsetVersion, kOpset))
      .serialized();
}

}  // namespace forger::onnx
