// Shared by the op specs only: the table's entries and small helpers.
#pragma once

#include <numeric>

#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"

namespace forger {

// One list per file of this folder; table.cpp joins them.
std::span<const OpSpec> source_specs();
std::span<const OpSpec> elementwise_specs();
std::span<const OpSpec> shape_specs();
std::span<const OpSpec> matmul_specs();
std::span<const OpSpec> conv2d_specs();
std::span<const OpSpec> batch_norm_specs();
std::span<const OpSpec> pool_specs();
std::span<const OpSpec> random_specs();
std::span<const OpSpec> loss_specs();
std::span<const OpSpec> optimizer_specs();
std::span<const OpSpec> block_program_specs();

/// Input i repeats along the leading axes of `shape`: its own shape is a suffix of it, or it is one number.
void require_suffix(const InferContext& c, size_t i, const Shape& shape);

/// Input i repeats along the leading axes of `shape`: its own shape is a suffix of it, or it is one number.
void require_suffix(const InferContext& c, size_t i, const Shape& shape);

/// Inputs `seed` and `seed` + 1 of a random node are u64 [] and i64 [].
void require_seed_step(const InferContext& c, size_t seed);

DType parse_dtype(const std::string& name);

/// Appends op `name` and returns its first result.
inline Value add_node(std::string_view name, std::initializer_list<Value> inputs, Attributes attributes = {}) {
  return inputs.begin()->graph().add(find_op(name), {inputs.begin(), inputs.size()}, std::move(attributes))[0];
}

inline std::vector<int64_t> all_axes(const Shape& shape) {
  std::vector<int64_t> axes(shape.size());
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}
/// All axes but the last: what a per-channel quantity is summed over.
inline std::vector<int64_t> leading_axes(const Shape& shape) {
  std::vector<int64_t> axes = all_axes(shape);
  axes.pop_back();
  return axes;
}

}  // namespace forger
