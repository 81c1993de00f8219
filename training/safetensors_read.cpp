#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "datasets/shape_text.h"
#include "training/safetensors.h"
#include "training/safetensors_common.h"

namespace forger {
namespace {

using namespace safetensors;
using nlohmann::json;

constexpr int64_t kMaxFileBytes = int64_t{64} << 30;
constexpr int kMaxDepth = 3;  // header, tensor, its shape
constexpr size_t kMaxDims = 16;

constexpr StoredType kTypes[] = {StoredType::f32, StoredType::f64, StoredType::i64,
                                 StoredType::i32, StoredType::u8,  StoredType::u64};

/// Parses JSON, and refuses what the library would let pass: deep nesting and names that come twice, of which
/// it silently keeps the last.
json parse_header(std::string_view text, const std::string& name) {
  std::vector<std::set<std::string>> keys;
  const auto check = [&](int depth, json::parse_event_t event, json& value) {
    switch (event) {
      case json::parse_event_t::object_start:
      case json::parse_event_t::array_start:
        if (depth >= kMaxDepth) fail<DataError>("{}: the header's JSON is nested too deeply", name);
        keys.emplace_back();
        break;
      case json::parse_event_t::object_end:
      case json::parse_event_t::array_end:
        keys.pop_back();
        break;
      case json::parse_event_t::key:
        if (!keys.back().insert(value.get<std::string>()).second) {
          fail<DataError>("{}: the name '{}' comes twice in the header", name, value.get<std::string>());
        }
        break;
      default:
        break;
    }
    return true;
  };
  try {
    return json::parse(text, check);
  } catch (const json::parse_error& e) {
    fail<DataError>("{}: byte {}: the header is no JSON; the file is damaged", name, kLengthBytes + e.byte);
  } catch (const json::exception& e) {  // such as a number that no double can hold
    fail<DataError>("{}: the header cannot be read: {}", name, e.what());
  }
}

/// A list of at most `most` whole numbers, none negative.
std::vector<int64_t> read_numbers(const json& entry, const char* key, size_t most, const std::string& where) {
  const auto found = entry.find(key);
  if (found == entry.end() || !found->is_array() || found->size() > most) {
    fail<DataError>("{}: expected \"{}\" to be a list of at most {} numbers", where, key, most);
  }
  std::vector<int64_t> numbers;
  for (const json& value : *found) {
    if (!value.is_number_unsigned() || value.get<uint64_t>() > uint64_t{1} << 62) {
      fail<DataError>("{}: \"{}\" holds what is no size: {}", where, key, value.dump());
    }
    numbers.push_back(value.get<int64_t>());
  }
  return numbers;
}

StoredType read_type(const json& entry, const std::string& where) {
  const auto found = entry.find("dtype");
  if (found == entry.end() || !found->is_string()) fail<DataError>("{}: has no \"dtype\"", where);
  const auto text = found->get<std::string>();
  for (const StoredType type : kTypes) {
    if (text == stored_type_name(type)) return type;
  }
  fail<DataError>("{}: type {}, expected F32, F64, I64, I32, U8 or U64; convert it", where, text);
}

StoredTensor read_tensor(const std::string& tensor, const json& entry, Bytes data, const std::string& name) {
  const std::string where = fmt::format("{}: tensor '{}'", name, tensor);
  if (!entry.is_object() || entry.size() != 3) {
    fail<DataError>("{}: expected \"dtype\", \"shape\" and \"data_offsets\"", where);
  }
  StoredTensor t{tensor, read_type(entry, where), read_numbers(entry, "shape", kMaxDims, where), {}};
  const std::vector<int64_t> offsets = read_numbers(entry, "data_offsets", 2, where);
  if (offsets.size() != 2) fail<DataError>("{}: \"data_offsets\" has {} numbers, expected 2", where, offsets.size());
  const int64_t begin = offsets[0], end = offsets[1];
  if (begin > end || end > static_cast<int64_t>(data.size())) {
    fail<DataError>("{}: lies at bytes {} to {} of the data, which has {}; the file is damaged or cut off", where, begin, end,
                    data.size());
  }
  const int64_t elements = element_count(t.shape), width = stored_type_bytes(t.type);
  if ((end - begin) % width != 0 || (end - begin) / width != elements) {
    fail<DataError>("{}: has {} bytes, expected {} elements of {} bytes for {} {}", where, end - begin, elements, width,
                    stored_type_name(t.type), shape_text(t.shape));
  }
  t.bytes = data.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  return t;
}

/// Sorts the tensors by their place and checks that they cover the data exactly.
void check_cover(std::vector<StoredTensor>& tensors, Bytes data, const std::string& name) {
  // Of tensors at the same place, the empty ones come first: they end where the next one begins.
  std::stable_sort(tensors.begin(), tensors.end(), [](const StoredTensor& a, const StoredTensor& b) {
    return std::pair(a.bytes.data(), a.bytes.size()) < std::pair(b.bytes.data(), b.bytes.size());
  });
  const uint8_t* end = data.data();
  for (const StoredTensor& t : tensors) {
    if (t.bytes.data() != end) {
      fail<DataError>("{}: tensor '{}' begins at byte {} of the data, expected {}: tensors {}; the file is damaged", name, t.name,
                      t.bytes.data() - data.data(), end - data.data(), t.bytes.data() < end ? "overlap" : "leave a gap");
    }
    end += t.bytes.size();
  }
  if (end != data.data() + data.size()) {
    fail<DataError>("{}: {} bytes follow the last tensor; the file is damaged", name, data.data() + data.size() - end);
  }
}

std::map<std::string, std::string> read_metadata(const json& header, const std::string& name) {
  std::map<std::string, std::string> metadata;
  const auto found = header.find(kMetadataKey);
  if (found == header.end()) return metadata;
  if (!found->is_object()) fail<DataError>("{}: \"{}\" is no object", name, kMetadataKey);
  for (const auto& [key, value] : found->items()) {
    if (!value.is_string()) fail<DataError>("{}: metadata '{}' is no text", name, key);
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

void verify_checksum(std::string_view header, Bytes data, const std::string& expected, const std::string& name) {
  const size_t field = header.find(kChecksumField);
  const size_t digits = field + kChecksumField.size();
  std::optional<std::string> found;
  if (field != std::string_view::npos && header.size() - digits >= kNoChecksum.size()) {
    uint32_t crc = crc32_of(0, text_bytes(header.substr(0, digits)));
    crc = crc32_of(crc, text_bytes(kNoChecksum));
    crc = crc32_of(crc, text_bytes(header.substr(digits + kNoChecksum.size())));
    found = checksum_text(crc32_of(crc, data));
  }
  if (found != expected) {
    fail<DataError>(
        "{}: corrupted: checksum {}, expected {}; use another checkpoint (if another program changed the "
        "file, it must remove {} from the metadata)",
        name, found.value_or("of another layout"), expected, kChecksumKey);
  }
}

}  // namespace

const char* stored_type_name(StoredType type) {
  switch (type) {
    case StoredType::f32:
      return "F32";
    case StoredType::f64:
      return "F64";
    case StoredType::i64:
      return "I64";
    case StoredType::i32:
      return "I32";
    case StoredType::u8:
      return "U8";
    case StoredType::u64:
      return "U64";
  }
  return "?";
}

int64_t stored_type_bytes(StoredType type) {
  if (type == StoredType::u8) return 1;
  return type == StoredType::f32 || type == StoredType::i32 ? 4 : 8;
}

void StoredTensor::require_type(StoredType expected) const {
  if (type != expected) {
    fail<DataError>("tensor '{}': has type {}, expected {}", name, stored_type_name(type), stored_type_name(expected));
  }
}

const StoredTensor* SafetensorsFile::find(const std::string& tensor) const {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.name == tensor; });
  return found == tensors.end() ? nullptr : &*found;
}

const StoredTensor& SafetensorsFile::at(const std::string& tensor) const {
  const StoredTensor* found = find(tensor);
  if (!found) fail<DataError>("{}: has no tensor '{}'; it was written by another network or version", name, tensor);
  return *found;
}

SafetensorsFile parse_safetensors(std::vector<uint8_t> file_bytes, std::string name, Checksum checksum) {
  SafetensorsFile file;
  file.file_bytes = std::move(file_bytes);
  file.name = std::move(name);
  const Bytes all = file.file_bytes;
  if (all.size() < kLengthBytes) {
    fail<DataError>("{}: {} bytes long, too short for a safetensors file", file.name, all.size());
  }
  uint64_t length = 0;
  std::memcpy(&length, all.data(), sizeof length);
  if (length > kMaxHeaderBytes || length > all.size() - kLengthBytes) {
    fail<DataError>(
        "{}: byte 0: claims a header of {} bytes, but {} follow (and {} are allowed); the file is cut off or "
        "no safetensors file",
        file.name, length, all.size() - kLengthBytes, kMaxHeaderBytes);
  }
  const Bytes header_bytes = all.subspan(kLengthBytes, length), data = all.subspan(kLengthBytes + length);
  const std::string_view text(reinterpret_cast<const char*>(header_bytes.data()), header_bytes.size());
  if (!text.starts_with('{')) fail<DataError>("{}: byte 8: no header: expected {{", file.name);

  const json header = parse_header(text, file.name);
  file.metadata = read_metadata(header, file.name);
  const auto expected = file.metadata.find(kChecksumKey);
  if (expected != file.metadata.end()) {
    verify_checksum(text, data, expected->second, file.name);
  } else if (checksum == Checksum::required) {
    fail<DataError>("{}: has no checksum ({} in the metadata); it is damaged or not Forger's", file.name, kChecksumKey);
  }
  for (const auto& [tensor, entry] : header.items()) {
    if (tensor != kMetadataKey) file.tensors.push_back(read_tensor(tensor, entry, data, file.name));
  }
  check_cover(file.tensors, data, file.name);
  return file;
}

SafetensorsFile read_safetensors(const std::string& path, Checksum checksum) {
  return parse_safetensors(read_file(path, kMaxFileBytes), path, checksum);
}

}  // namespace forger
