// Whole files in and out: the only place where Forger opens a file for its data.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace forger {

/// Bytes that somebody else owns.
using Bytes = std::span<const uint8_t>;

/// The bytes of an array of numbers, in the machine's order.
template <class T>
Bytes bytes_of(std::span<const T> values) {
  return {reinterpret_cast<const uint8_t*>(values.data()), values.size_bytes()};
}

/// Reads a regular file of at most `max_bytes` bytes.
/// Throws DataError with the system's reason if it cannot be opened or read, is no regular file or is larger.
std::vector<uint8_t> read_file(const std::string& path, int64_t max_bytes);

/// Writes the parts one after another, so that `path` is either what it was before or the whole new file,
/// even if the power fails: temporary name in the same folder, write, fsync, rename, fsync of the folder. A
/// symbolic link is followed. On any failure the temporary file is removed and DataError tells the system's
/// reason.
void write_file(const std::string& path, std::span<const Bytes> parts);
void write_file(const std::string& path, std::initializer_list<Bytes> parts);

}  // namespace forger
