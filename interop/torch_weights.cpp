#include "interop/torch_weights.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "interop/layouts.h"
#include "training/safetensors.h"

namespace forger {
namespace {

constexpr const char* kConfigKey = "forger.config";

/// Whether a variable of a run belongs to a network itself: not to its optimizer, not to the counters.
bool is_weight(const std::string& name, const Config& config) {
  const size_t slash = name.find('/');
  if (slash == std::string::npos || (name[0] != 'G' && name[0] != 'D')) return false;
  return !name.substr(slash + 1).starts_with(config.text("optimizer") + "/");
}

bool is_kernel(const std::string& name, const Shape& shape) {
  return name.ends_with("/kernel") && (shape.size() == 2 || shape.size() == 4);
}

/// "G/dense_1/kernel" -> "G.dense_1.weight".
std::string torch_name(const std::string& name) {
  std::string text = name;
  const size_t slash = text.rfind('/');
  const std::string leaf = text.substr(slash + 1);
  if (leaf == "kernel" || leaf == "gamma") text.replace(slash + 1, leaf.size(), "weight");
  if (leaf == "beta") text.replace(slash + 1, leaf.size(), "bias");
  std::replace(text.begin(), text.end(), '/', '.');
  return text;
}

Shape torch_shape(const std::string& name, const Shape& shape) {
  if (!is_kernel(name, shape)) return shape;
  return shape.size() == 2 ? Shape{shape[1], shape[0]} : Shape{shape[0], shape[3], shape[1], shape[2]};
}

/// shape: Forger's.
std::vector<float> to_torch(const std::string& name, const Shape& shape, const std::vector<float>& values) {
  if (!is_kernel(name, shape)) return values;
  return shape.size() == 2 ? swap_inner(values, 1, shape[0], shape[1]) : krsc_to_kcrs(values, shape);
}

std::vector<float> from_torch(const std::string& name, const Shape& shape, const std::vector<float>& values) {
  if (!is_kernel(name, shape)) return values;
  return shape.size() == 2 ? swap_inner(values, 1, shape[1], shape[0]) : kcrs_to_krsc(values, shape);
}

std::string network_of(const std::string& name) {
  return name.substr(0, name.find_first_of("./"));
}

}  // namespace

void export_torch_weights(const std::string& path, const Checkpoint& checkpoint) {
  std::vector<std::vector<float>> contents;
  contents.reserve(checkpoint.tensors.size());  // the tensors point into it
  std::vector<StoredTensor> tensors;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    const auto& [type, bytes] = tensor;
    if (!is_weight(name, checkpoint.config) || type.dtype != DType::f32) continue;
    contents.push_back(to_torch(name, type.shape, floats_of(bytes)));
    tensors.push_back(stored_tensor(torch_name(name), torch_shape(name, type.shape), contents.back()));
  }
  write_safetensors(
      path, tensors,
      {{"format", "pt"}, {kConfigKey, checkpoint.config.to_json()}, {"forger.step", std::to_string(checkpoint.step)}});
}

std::vector<std::string> import_torch_weights(const std::string& path, const Config& config, VariableStore& variables) {
  const SafetensorsFile file = read_safetensors(path);
  std::set<std::string> given, expected;
  for (const StoredTensor& t : file.tensors) given.insert(network_of(t.name));
  for (const auto& [name, entry] : variables.entries()) {
    if (!is_weight(name, config) || entry.type.dtype != DType::f32) continue;
    const Shape& shape = entry.type.shape;
    std::string wanted_name = torch_name(name);
    expected.insert(wanted_name);
    // The average of G's weights begins as G is: samples are made with it.
    if (network_of(name) == "G_ema" && !given.contains("G_ema")) wanted_name.replace(0, 5, "G");
    if (!given.contains(network_of(wanted_name))) continue;
    const StoredTensor* tensor = file.find(wanted_name);
    if (!tensor) {
      fail<DataError>("{}: has no tensor '{}', which {} needs; name the recipe and the options that it was trained with", path,
                      wanted_name, config.recipe());
    }
    const Shape wanted = torch_shape(name, shape);
    if (tensor->type != StoredType::f32 || tensor->shape != wanted) {
      fail<DataError>("{}: '{}' is {} {}, expected F32 {}; name the recipe and the options that it was trained with", path,
                      tensor->name, stored_type_name(tensor->type), to_string(tensor->shape), to_string(wanted));
    }
    const std::vector<float> values = from_torch(name, shape, tensor->values<float>());
    if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }))
      fail<DataError>("{}: '{}' holds numbers that are not finite", path, tensor->name);
    variables.write(name, std::as_bytes(std::span(values)));
  }
  for (const StoredTensor& t : file.tensors) {
    const bool counter = t.name.ends_with(".num_batches_tracked");  // PyTorch's batch norm counts; Forger's does not
    if (!expected.contains(t.name) && !counter) {
      fail<DataError>("{}: the tensor '{}' is none of {}; expected names such as '{}'", path, t.name, config.recipe(),
                      expected.empty() ? "" : *expected.begin());
    }
  }
  return {given.begin(), given.end()};
}

std::string config_of_weights(const std::string& path) {
  const SafetensorsFile file = read_safetensors(path);
  const auto it = file.metadata.find(kConfigKey);
  return it == file.metadata.end() ? "" : it->second;
}

}  // namespace forger
