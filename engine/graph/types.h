// Element types, shapes and tensor types of graph values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace forger {

enum class DType : uint8_t { f32, f64, u8, i32, i64, u64 };

size_t size_of(DType dtype);       // bytes of one element
const char* name_of(DType dtype);  // "f32", ...
constexpr bool is_real(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f64;
}

/// Extents, outermost first; {} is a scalar.
using Shape = std::vector<int64_t>;

int64_t num_elements(const Shape& shape);
std::string to_string(const Shape& shape);  // "[32,28,28,1]"

struct TensorType {
  DType dtype = DType::f32;
  Shape shape;

  int64_t size() const { return num_elements(shape); }
  size_t bytes() const { return static_cast<size_t>(size()) * size_of(dtype); }
  bool operator==(const TensorType&) const = default;
};

std::string to_string(const TensorType& type);  // "f32[32,28,28,1]"

/// A tensor's elements as doubles, and back (what does not fit is cut as by static_cast).
std::vector<double> to_doubles(const void* data, const TensorType& type);
std::vector<std::byte> from_doubles(const std::vector<double>& values, DType dtype);

}  // namespace forger
