#include "kernels/winograd/matmul.h"

#include <algorithm>

#include "kernels/threads/pool.h"
#include "kernels/threads/split.h"

namespace forger::winograd {
namespace {

constexpr int64_t kRows = 96;  // rows of C in one piece: a multiple of the kernel's 6, enough to pay for packing B

}  // namespace

MatMul::MatMul(int64_t m, int64_t n, int64_t k, bool trans_a, bool trans_b, bool bias, Isa isa)
    : m_(m),
      n_(n),
      k_(k),
      trans_a_(trans_a),
      trans_b_(trans_b),
      bias_(bias),
      kernels_(&for_isa(isa, baseline::winograd_kernels, avx2::winograd_kernels, avx512::winograd_kernels)()),
      threads_(num_threads()) {}

std::size_t MatMul::workspace_bytes() const {
  return static_cast<std::size_t>(threads_ * (k_ + kRows) * kernels_->panel_width) * sizeof(float);
}

// A piece is a block of C. Its columns of B are packed with zeros up to whole vectors, so that the kernel needs no edges.
void MatMul::run(const float* a, const float* b, const float* bias, float* c, void* workspace) const {
  const int64_t panel = kernels_->panel_width, vector = kernels_->vector_width, row_blocks = ceil_div(m_, kRows);
  parallel_for(
      ceil_div(n_, panel) * row_blocks,
      [&](int64_t piece, int slot) {
        float* const packed = static_cast<float*>(workspace) + slot * (k_ + kRows) * panel;  // (k, width)
        float* const block = packed + k_ * panel;                                            // (rows, width)
        const int64_t column = piece / row_blocks * panel, row = piece % row_blocks * kRows;
        const int64_t columns = std::min(panel, n_ - column), rows = std::min(kRows, m_ - row);
        const int64_t width = ceil_div(columns, vector) * vector;
        for (int64_t l = 0; l < k_; ++l) {
          float* const to = packed + l * width;
          for (int64_t j = 0; j < columns; ++j) to[j] = trans_b_ ? b[(column + j) * k_ + l] : b[l * n_ + column + j];
          std::fill(to + columns, to + width, 0.f);
        }
        const Product product{.m = rows,
                              .n = width,
                              .k = k_,
                              .a_row = trans_a_ ? 1 : k_,
                              .a_k = trans_a_ ? m_ : 1,
                              .b_row = width,
                              .c_row = width,
                              .packed_b = true,
                              .accumulate = false};
        kernels_->multiply(product, a + row * product.a_row, packed, block);
        for (int64_t i = 0; i < rows; ++i) {
          float* const out = c + (row + i) * n_ + column;
          for (int64_t j = 0; j < columns; ++j) out[j] = block[i * width + j] + (bias_ ? bias[column + j] : 0.f);
        }
      },
      threads_);
}

}  // namespace forger::winograd
