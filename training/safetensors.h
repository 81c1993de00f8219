// safetensors: named arrays in one file, which Python opens with the package of the same name.
//
//   8 bytes     length of the header, little-endian
//   header      JSON: {"__metadata__": {text: text}, name: {"dtype": .., "shape": [..], "data_offsets":
//   [begin, end]}}
//               and spaces, so that the data begins at a multiple of 8
//   data        the arrays, one after another without gaps
//
// Source: https://github.com/huggingface/safetensors, "Format". What Forger adds is a checksum in the
// metadata, `forger.crc32`: the CRC-32 of all bytes behind the length, with the checksum's own eight digits
// taken as zeros.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "datasets/files.h"
#include "kernels/common/errors.h"

namespace forger {

/// The element types that a checkpoint needs.
enum class StoredType { f32, f64, i64, i32, u8, u64 };

/// The name in the file, such as "F32".
const char* stored_type_name(StoredType type);
int64_t stored_type_bytes(StoredType type);

/// The StoredType of a C++ type.
template <class T>
constexpr StoredType stored_type_of() {
  if constexpr (std::is_same_v<T, float>)
    return StoredType::f32;
  else if constexpr (std::is_same_v<T, double>)
    return StoredType::f64;
  else if constexpr (std::is_same_v<T, int64_t>)
    return StoredType::i64;
  else if constexpr (std::is_same_v<T, int32_t>)
    return StoredType::i32;
  else if constexpr (std::is_same_v<T, uint8_t>)
    return StoredType::u8;
  else {
    static_assert(std::is_same_v<T, uint64_t>, "safetensors: no such element type");
    return StoredType::u64;
  }
}

/// One array. The bytes belong to whoever made them: the caller when writing, the file when reading.
struct StoredTensor {
  std::string name;
  StoredType type = StoredType::f32;
  std::vector<int64_t> shape;  // empty for a single number
  Bytes bytes;                 // not aligned when read: use values()

  /// A copy of the values. Throws DataError if the type is another one.
  template <class T>
  std::vector<T> values() const {
    require_type(stored_type_of<T>());
    std::vector<T> copy(bytes.size() / sizeof(T));
    if (!bytes.empty()) std::memcpy(copy.data(), bytes.data(), bytes.size());
    return copy;
  }

 private:
  void require_type(StoredType expected) const;
};

/// Describes an array for the writer; `values` must outlive the result.
template <class T>
StoredTensor stored_tensor(std::string name, std::vector<int64_t> shape, const std::vector<T>& values) {
  return {std::move(name), stored_type_of<T>(), std::move(shape), bytes_of(std::span<const T>(values))};
}

/// A file that was read. Its tensors point into `file_bytes`, so it can be moved but not copied.
struct SafetensorsFile {
  std::vector<uint8_t> file_bytes;
  std::string name;                   // for messages: the path
  std::vector<StoredTensor> tensors;  // in the order of the data
  std::map<std::string, std::string> metadata;

  SafetensorsFile() = default;
  SafetensorsFile(SafetensorsFile&&) = default;
  SafetensorsFile& operator=(SafetensorsFile&&) = default;

  /// The tensor of this name, or nullptr.
  const StoredTensor* find(const std::string& tensor) const;
  /// The tensor of this name. Throws DataError, which names the file and the tensor, if there is none.
  const StoredTensor& at(const std::string& tensor) const;
};

/// Whether a file without `forger.crc32` is accepted; one that has it is always checked.
enum class Checksum { if_present, required };

/// Reads a file and verifies all of it: lengths, JSON, types, shapes, offsets (in bounds, no gap, no overlap,
/// to the end) and the checksum. Throws DataError otherwise.
SafetensorsFile read_safetensors(const std::string& path, Checksum checksum = Checksum::if_present);

/// The same from memory; `name` begins the messages of errors.
SafetensorsFile parse_safetensors(std::vector<uint8_t> file, std::string name, Checksum checksum = Checksum::if_present);

/// Writes a file, atomically (see write_file), with `forger.crc32` added to the metadata. The same arguments
/// give the same bytes; the data is in the order of `tensors`. Throws DataError if it cannot be written,
/// ShapeError if a name comes twice or a tensor's bytes do not fit its shape.
void write_safetensors(const std::string& path, std::span<const StoredTensor> tensors,
                       std::map<std::string, std::string> metadata);

}  // namespace forger
