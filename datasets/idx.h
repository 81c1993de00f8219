// IDX, the file format of MNIST: a few big-endian 32-bit numbers, then the values.
//
//   byte 0, 1   zero
//   byte 2      type: 0x08 unsigned byte, 0x0D float (four bytes, big-endian); others exist but are not used
//   here byte 3      number of dimensions, then each dimension's size as a big-endian 32-bit number
//
// Source: http://yann.lecun.com/exdb/mnist/, "The IDX file format".
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "datasets/files.h"

namespace forger {

/// An array of unsigned bytes, the last dimension running fastest.
struct IdxArray {
  std::vector<int64_t> dims;
  std::vector<uint8_t> values;
};

/// Reads an IDX file of unsigned bytes, plain or compressed with gzip (told apart by the content, not the
/// name). Throws DataError unless the file is exactly as long as its header says, has one to four dimensions
/// and no empty one. A header that claims too much fails before any memory is taken.
IdxArray read_idx(const std::string& path);

/// The same from memory; `name` begins the messages of errors.
IdxArray parse_idx(Bytes file, const std::string& name);

/// Writes an IDX file, atomically. `values` holds as many numbers as `dims` says, else ShapeError.
void write_idx(const std::string& path, std::span<const int64_t> dims, std::span<const uint8_t> values);
void write_idx(const std::string& path, std::span<const int64_t> dims, std::span<const float> values);

}  // namespace forger
