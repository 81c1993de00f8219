// .npy, NumPy's format for one array: numpy.load() opens it.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace forger {

/// Writes 32-bit floats in row-major order, atomically. `values` holds as many as `shape` says, else
/// ShapeError. Source: numpy.lib.format, version 1.0.
void write_npy(const std::string& path, std::span<const int64_t> shape, std::span<const float> values);

}  // namespace forger
