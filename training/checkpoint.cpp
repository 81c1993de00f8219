#include "training/checkpoint.h"

#include <charconv>
#include <cstring>
#include <filesystem>

#include "models/recipe.h"
#include "training/run_directory.h"
#include "training/safetensors.h"

namespace forger {
namespace {

StoredType stored_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return StoredType::f32;
    case DType::f64:
      return StoredType::f64;
    case DType::u8:
      return StoredType::u8;
    case DType::i32:
      return StoredType::i32;
    case DType::i64:
      return StoredType::i64;
    case DType::u64:
      return StoredType::u64;
  }
  return StoredType::f32;
}

DType dtype_of(StoredType type) {
  for (const DType d : {DType::f32, DType::f64, DType::u8, DType::i32, DType::i64, DType::u64}) {
    if (stored_type(d) == type) return d;
  }
  return DType::f32;
}

const std::string& metadata(const SafetensorsFile& file, const std::string& key) {
  const auto it = file.metadata.find(key);
  if (it == file.metadata.end()) {
    fail<DataError>("{}: is no checkpoint of Forger: its metadata lack '{}'", file.name, key);
  }
  return it->second;
}

/// What `restore` compares: the config's recipe is checked when its options are merged.
Config read_config(const SafetensorsFile& file) {
  const std::string& json = metadata(file, "forger.config");
  try {
    Config config = find_recipe(recipe_of_json(json, file.name)).defaults;
    config.merge_json(json, file.name);
    return config;
  } catch (const ConfigError& e) {
    fail<DataError>("{}: its config cannot be used: {}", file.name, e.what());
  }
}

/// Writes the variables that `keep` says yes to.
template <class Keep>
void save_variables(const std::string& path, const VariableStore& variables, const Config& config, uint32_t data_crc, Keep keep) {
  std::vector<std::vector<std::byte>> contents;
  contents.reserve(variables.entries().size());
  std::vector<StoredTensor> tensors;
  for (const auto& [name, entry] : variables.entries()) {
    if (!keep(name)) continue;
    contents.push_back(variables.read(name));
    const auto& bytes = contents.back();
    tensors.push_back(
        {name, stored_type(entry.type.dtype), entry.type.shape, {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}});
  }
  write_safetensors(
      path, tensors,
      {{"format", "forger-1"}, {"forger.config", config.to_json()}, {"forger.data_crc32", std::to_string(data_crc)}});
}

}  // namespace

void save_checkpoint(const std::string& path, const VariableStore& variables, const Config& config, uint32_t data_crc) {
  save_variables(path, variables, config, data_crc, [](const std::string&) { return true; });
}

void save_weights(const std::string& path, const VariableStore& variables, const Config& config, uint32_t data_crc) {
  const std::string optimizer = "/" + config.text("optimizer") + "/";
  save_variables(path, variables, config, data_crc,
                 [&](const std::string& name) { return name.find(optimizer) == std::string::npos; });
}

namespace {

Checkpoint checkpoint_of(const SafetensorsFile& file, const std::string& path) {
  Checkpoint checkpoint{path, read_config(file), 0, 0, {}};
  const std::string& crc = metadata(file, "forger.data_crc32");
  const auto parsed = std::from_chars(crc.data(), crc.data() + crc.size(), checkpoint.data_crc);
  if (parsed.ec != std::errc() || parsed.ptr != crc.data() + crc.size())
    fail<DataError>("{}: '{}' is no checksum of data", path, crc);
  for (const StoredTensor& t : file.tensors) {
    std::vector<std::byte> bytes(t.bytes.size());
    if (!bytes.empty()) std::memcpy(bytes.data(), t.bytes.data(), bytes.size());
    checkpoint.tensors[t.name] = std::pair(TensorType{dtype_of(t.type), t.shape}, std::move(bytes));
  }
  const auto step = file.at("rng/step").values<int64_t>();
  if (step.size() != 1 || step[0] < 0) fail<DataError>("{}: its step is not a count", path);
  checkpoint.step = step[0];
  return checkpoint;
}

}  // namespace

Checkpoint load_checkpoint(const std::string& path) {
  return checkpoint_of(read_safetensors(path, Checksum::required), path);
}

Checkpoint parse_checkpoint(std::vector<uint8_t> bytes, const std::string& name) {
  return checkpoint_of(parse_safetensors(std::move(bytes), name, Checksum::required), name);
}

void Checkpoint::restore(VariableStore& variables) const {
  for (const auto& [name, entry] : variables.entries()) {
    const auto it = tensors.find(name);
    if (it == tensors.end()) fail<DataError>("{}: has no tensor '{}'; was it written by another version of Forger?", path, name);
    if (it->second.first != entry.type) {
      fail<DataError>("{}: '{}' is {}, expected {}", path, name, to_string(it->second.first), to_string(entry.type));
    }
    variables.write(name, it->second.second);
  }
}

Checkpoint find_checkpoint(const std::string& run, const std::function<void(const std::string&)>& note) {
  std::error_code error;
  if (!std::filesystem::exists(run, error))
    fail<DataError>("{}: there is no such run directory or checkpoint; name one that forger train wrote", run);
  if (!std::filesystem::is_directory(run, error)) {
    try {
      return load_checkpoint(run);
    } catch (const DataError& e) {
      fail<DataError>("{}; name another checkpoint, or the run directory for its newest whole one", e.what());
    }
  }
  const auto files = list_checkpoints(run);
  if (files.empty()) fail<DataError>("{}: holds no checkpoint; name a run directory or a checkpoint file", run);
  for (const std::string& file : files) {
    try {
      return load_checkpoint(file);
    } catch (const DataError& e) {
      note(fmt::format("passed over a damaged checkpoint: {}", e.what()));
    }
  }
  fail<DataError>("{}: none of its {} checkpoints is whole; start a new run", run, files.size());
}

}  // namespace forger
