#include <nlohmann/json.hpp>
#include <set>

#include "datasets/shape_text.h"
#include "training/safetensors.h"
#include "training/safetensors_common.h"

namespace forger {
namespace {

using namespace safetensors;

void check_tensors(const std::string& path, std::span<const StoredTensor> tensors) {
  std::set<std::string> names;
  for (const StoredTensor& t : tensors) {
    if (t.name == kMetadataKey || !names.insert(t.name).second) {
      fail<ShapeError>("{}: tensor '{}': this name is taken", path, t.name);
    }
    for (const int64_t d : t.shape) {
      if (d < 0) fail<ShapeError>("{}: tensor '{}': shape {} has a negative size", path, t.name, shape_text(t.shape));
    }
    const auto elements = static_cast<int64_t>(t.bytes.size()) / stored_type_bytes(t.type);
    if (element_count(t.shape) != elements || t.bytes.size() % static_cast<size_t>(stored_type_bytes(t.type)) != 0) {
      fail<ShapeError>("{}: tensor '{}': {} bytes do not fit {} {}", path, t.name, t.bytes.size(), stored_type_name(t.type),
                       shape_text(t.shape));
    }
  }
}

/// The header with its padding, its checksum still zeros.
std::string make_header(const std::string& path, std::span<const StoredTensor> tensors,
                        const std::map<std::string, std::string>& metadata) {
  nlohmann::json header = nlohmann::json::object();  // sorts its keys
  header[kMetadataKey] = metadata;
  size_t end = 0;
  for (const StoredTensor& t : tensors) {
    const size_t begin = end;
    end += t.bytes.size();
    header[t.name] = {{"dtype", stored_type_name(t.type)}, {"shape", t.shape}, {"data_offsets", {begin, end}}};
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception& e) {
    fail<DataError>("{}: a tensor's name or the metadata is no UTF-8: {}", path, e.what());
  }
  text.resize((kLengthBytes + text.size() + 7) / 8 * 8 - kLengthBytes, ' ');
  return text;
}

}  // namespace

void write_safetensors(const std::string& path, std::span<const StoredTensor> tensors,
                       std::map<std::string, std::string> metadata) {
  check_tensors(path, tensors);
  metadata[kChecksumKey] = kNoChecksum;
  std::string header = make_header(path, tensors, metadata);
  uint32_t crc = crc32_of(0, text_bytes(header));
  for (const StoredTensor& t : tensors) crc = crc32_of(crc, t.bytes);
  // No name or text can hold the field by chance: JSON escapes their quotes.
  header.replace(header.find(kChecksumField) + kChecksumField.size(), kNoChecksum.size(), checksum_text(crc));

  const uint64_t length = header.size();
  std::vector<Bytes> parts = {{reinterpret_cast<const uint8_t*>(&length), sizeof length}, text_bytes(header)};
  for (const StoredTensor& t : tensors) parts.push_back(t.bytes);
  write_file(path, parts);
}

}  // namespace forger
