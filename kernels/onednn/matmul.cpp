#include "kernels/onednn/matmul.h"

namespace forger::onednn {

MatMul::MatMul(int64_t m, int64_t n, int64_t k, bool trans_a, bool trans_b, bool bias) : bias_(bias) {
  using dnnl::memory;
  constexpr auto f32 = memory::data_type::f32;
  const auto operand = [](int64_t rows, int64_t columns, bool transposed) {
    return memory::desc({rows, columns}, f32, transposed ? memory::format_tag::ba : memory::format_tag::ab);
  };
  const memory::desc a = operand(m, k, trans_a), b = operand(k, n, trans_b), c = operand(m, n, false);
  const memory::desc row({1, n}, f32, memory::format_tag::ab);
  const auto attr = Primitive::attributes();
  const auto pd = bias ? describe<dnnl::matmul>(primitive_.engine(), attr, a, b, row, c)
                       : describe<dnnl::matmul>(primitive_.engine(), attr, a, b, c);
  primitive_.set(dnnl::matmul(pd), pd.scratchpad_desc());
  primitive_.add_argument(DNNL_ARG_SRC, a);
  primitive_.add_argument(DNNL_ARG_WEIGHTS, b);
  primitive_.add_argument(DNNL_ARG_DST, c);
  if (bias) primitive_.add_argument(DNNL_ARG_BIAS, row);
}

void MatMul::run(const float* a, const float* b, const float* bias, float* c, void* workspace) {
  primitive_.bind(DNNL_ARG_SRC, a);
  primitive_.bind(DNNL_ARG_WEIGHTS, b);
  if (bias_) primitive_.bind(DNNL_ARG_BIAS, bias);
  primitive_.bind(DNNL_ARG_DST, c);
  primitive_.run(workspace);
}

}  // namespace forger::onednn
