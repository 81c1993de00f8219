// A stream of bytes from memory, plain or compressed: readers ask for as much as they have checked to be
// sane.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "datasets/files.h"

namespace forger {

/// Fills the front of `out` and returns how many bytes it wrote: fewer than asked only at the end of the
/// data.
using ByteSource = std::function<size_t(std::span<uint8_t> out)>;

/// The bytes as they are. They must outlive the source.
ByteSource plain_source(Bytes bytes);

/// Whether the bytes begin as a gzip file does.
bool is_gzip(Bytes bytes);

/// The uncompressed bytes of a gzip file (RFC 1952), of one member or several. `compressed` must outlive the
/// source. Reading throws DataError, which begins with `name`, where the data is damaged: every member's
/// checksum and length are verified, and so is that nothing follows the last one.
ByteSource gzip_source(Bytes compressed, std::string name);

/// No gzip file holds more bytes than this: deflate cannot do better than 1032 to 1.
constexpr int64_t gzip_max_length(int64_t compressed_length) {
  return compressed_length * 1032;
}

}  // namespace forger
