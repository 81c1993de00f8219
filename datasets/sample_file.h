// Samples that any program wrote: NumPy's .npy, IDX, or a folder of pictures.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/files.h"

namespace forger {

/// Numbers with a shape, the first axis counting samples.
struct SampleArray {
  std::vector<int64_t> dims;
  std::vector<float> values;
  bool bytes = false;  // whole numbers from 0 to 255, as pictures have
};

/// Reads an array of at most 2^31 numbers. .npy (version 1 to 3): unsigned bytes, 32-bit or 64-bit floats, little-endian,
/// row-major. IDX, plain or gzip: unsigned bytes or floats. Throws DataError that names the file and what is wrong with it.
SampleArray read_samples(const std::string& path);

/// The same from memory; `name` begins the messages of errors.
SampleArray parse_npy(Bytes file, const std::string& name);

/// Images as bytes, [count, height, width, channels].
struct ImageSamples {
  int64_t count = 0, height = 0, width = 0, channels = 0;
  std::vector<uint8_t> pixels;
};

/// Arrays [n,H,W], [n,H,W,C] or [n,C,H,W] with 1 or 3 channels. Floats that go below 0 are taken for -1 ... 1, others that do
/// not go above 1 for 0 ... 1, all others for 0 ... 255; they are rounded as a picture would. Throws DataError for other shapes,
/// numbers that are not finite or lie outside their range.
ImageSamples image_samples(const SampleArray& array, const std::string& name);

/// A byte for a pixel in [-1, 1], as pictures of generators are written.
uint8_t pixel_byte(float value);

}  // namespace forger
