// What the vendor kernels are asked to compute, and in which arithmetic. No vendor header in here.
#pragma once

#include <cstdint>

namespace forger::vendor {

enum class Direction : uint8_t { forward, input_grad, filter_grad };

/// Of products; tensors and sums are f32 in all three.
enum class Maths : uint8_t {
  fp32,  // fused multiply-adds in f32; no tensor cores
  tf32,  // tensor cores allowed to round operands to 10 mantissa bits; the library may also choose f32
  bf16,  // operands rounded to 7 mantissa bits
};

/// C[m,n] = op(A)[m,k] op(B)[k,n], row-major; a transposed operand is stored as [k,m] or [n,k].
struct MatmulSides {
  int64_t m, n, k;
  bool transpose_a, transpose_b;
};

}  // namespace forger::vendor
