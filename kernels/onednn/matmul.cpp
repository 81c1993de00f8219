#include "kernels/onednn/matmul.h"

#include "kernels/onednn/one_thread.h"
#include "kernels/threads/pool.h"

namespace forger::onednn {
namespace {

constexpr int64_t kMostPieces = 64;

}  // namespace

MatMul::MatMul(int64_t m, int64_t n, int64_t k, bool trans_a, bool trans_b, bool bias)
    : bias_(bias),
      by_rows_(m >= n),
      cut_(cut(std::max(m, n), 2 * m * n * k, kMostPieces, 16)),
      a_step_(by_rows_ ? (trans_a ? 1 : k) : 0),
      b_step_(by_rows_ ? 0 : (trans_b ? k : 1)),
      c_step_(by_rows_ ? n : 1),
      threads_(num_threads()) {
  using dnnl::memory;
  const OneThread one_thread;
  // Pieces are parts of the whole matrices, whose rows lie as far apart as in the whole.
  const auto operand = [](int64_t rows, int64_t columns, int64_t row_step, int64_t column_step) {
    return memory::desc({rows, columns}, memory::data_type::f32, memory::dims{row_step, column_step});
  };
  for (int64_t piece = 0; piece < cut_.pieces; ++piece) {
    if (kind_of(cut_, piece) != primitives_.size()) continue;
    const int64_t rows = by_rows_ ? cut_.length(piece) : m, columns = by_rows_ ? n : cut_.length(piece);
    const memory::desc a = trans_a ? operand(rows, k, 1, m) : operand(rows, k, k, 1);
    const memory::desc b = trans_b ? operand(k, columns, 1, k) : operand(k, columns, n, 1);
    const memory::desc c = operand(rows, columns, n, 1), row = operand(1, columns, columns, 1);
    const auto attr = own_scratchpad();
    const auto pd =
        bias ? describe<dnnl::matmul>(cpu_engine(), attr, a, b, row, c) : describe<dnnl::matmul>(cpu_engine(), attr, a, b, c);
    Primitive::Operands operands{{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}};
    if (bias) operands.emplace_back(DNNL_ARG_BIAS, row);
    primitives_.emplace_back(dnnl::matmul(pd), pd.scratchpad_desc(), operands, threads_);
  }
}

std::size_t MatMul::workspace_bytes() const {
  return static_cast<std::size_t>(threads_) * scratchpad_bytes(primitives_);
}

void MatMul::run(const float* a, const float* b, const float* bias, float* c, void* workspace) {
  const std::size_t scratchpad = scratchpad_bytes(primitives_);
  parallel_for(
      cut_.pieces,
      [&](int64_t piece, int slot) {
        const int64_t at = cut_.begin(piece);
        primitives_[kind_of(cut_, piece)].run(slot,
                                              {{DNNL_ARG_SRC, a + at * a_step_},
                                               {DNNL_ARG_WEIGHTS, b + at * b_step_},
                                               {DNNL_ARG_BIAS, !bias_     ? nullptr
                                                               : by_rows_ ? bias
                                                                          : bias + at},
                                               {DNNL_ARG_DST, c + at * c_step_}},
                                              static_cast<char*>(workspace) + static_cast<std::size_t>(slot) * scratchpad);
      },
      threads_);
}

}  // namespace forger::onednn
