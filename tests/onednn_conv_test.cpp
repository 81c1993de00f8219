// oneDNN's convolutions and matrix product against plain loops.
#include "kernels/onednn/conv2d.h"
#include "kernels/onednn/matmul.h"
#include "tests/conv_test_util.h"

using namespace forger;
using namespace forger::conv_test;

namespace {

const std::vector<Conv2dShape> kShapes = {
    same(1, 5, 1, 1, 3, 1),
    same(2, 7, 3, 5, 4, 1),
    same(3, 9, 17, 19, 4, 2),
    same(2, 8, 16, 32, 4, 1),
    same(1, 11, 2, 3, 3, 3),
    same(2, 28, 1, 32, 3, 2),
    same(1, 9, 64, 1, 7, 1),
    same(2, 7, 64, 128, 4, 2),
    same(2, 4, 5, 16, 4, 1),
    {2, 6, 9, 3, 4, 2, 5, 4, 3, 2, 3, 1, 2},  // nothing is square, padding 1 | 2 and 2 | 0
    {1, 5, 5, 7, 2, 3, 3, 3, 3, 2, 2, 1, 1},  // odd input, stride 2
    {1, 6, 6, 4, 4, 3, 3, 2, 2, 2, 2, 0, 0},  // the last row and column are never read
    {1, 3, 3, 2, 2, 2, 2, 8, 8, 1, 1, 3, 3},  // padding wider than the filter
};

std::vector<char> workspace(size_t bytes) {
  return std::vector<char>(bytes + 64);
}
void* aligned(std::vector<char>& w) {
  return w.data() + (64 - reinterpret_cast<uintptr_t>(w.data()) % 64) % 64;
}

void check_all(const Conv2dShape& s, bool integers, double factor, double atol) {
  const Operands o = make_operands(s, integers);
  REQUIRE_FALSE(onednn::supports(s).has_value());
  for (const bool bias : {false, true}) {
    onednn::Conv2d forward(s, bias);
    auto ws = workspace(forward.workspace_bytes());
    auto y = nans(s.output_size()), dx = nans(s.input_size());
    forward.run(o.x.data(), o.w.data(), o.bias_k.data(), y.data(), aligned(ws));
    check(s, o, Direction::forward, bias ? o.bias_k : std::vector<float>{}, y, factor, atol);
    onednn::Conv2dInputGrad input_grad(s, bias);
    ws = workspace(input_grad.workspace_bytes());
    input_grad.run(o.dy.data(), o.w.data(), o.bias_c.data(), dx.data(), aligned(ws));
    check(s, o, Direction::input_grad, bias ? o.bias_c : std::vector<float>{}, dx, factor, atol);
  }
  onednn::Conv2dFilterGrad filter_grad(s);
  auto ws = workspace(filter_grad.workspace_bytes());
  auto dw = nans(s.filter_size()), again = dw;
  filter_grad.run(o.x.data(), o.dy.data(), dw.data(), aligned(ws));
  check(s, o, Direction::filter_grad, {}, dw, factor, atol);
  filter_grad.run(o.x.data(), o.dy.data(), again.data(), aligned(ws));
  CHECK(dw == again);
}

}  // namespace

TEST_CASE("onednn convolutions are exact on small integers") {
  for (const auto& s : kShapes) check_all(s, true, 0, 0);
}

TEST_CASE("onednn convolutions are as accurate as plain float32 loops") {
  for (const auto& s : kShapes) check_all(s, false, 2, 1e-6);
}

TEST_CASE("onednn says why it declines") {
  CHECK(onednn::supports({1, 9, 9, 4, 4, 3, 3, 2, 2, 2, 2, 0, 0}).has_value());   // 4x4 outputs would fit
  CHECK(onednn::supports({1, 6, 6, 4, 4, 3, 3, 2, 2, 2, 2, -1, 0}).has_value());  // crops
}

TEST_CASE("onednn matrix product, all transpositions") {
  const int64_t m = 5, n = 19, k = 33;
  std::mt19937 random(3);
  const auto fill = [&](int64_t size) {
    std::vector<float> v(size);
    for (float& e : v) e = static_cast<float>(static_cast<int>(random() % 9) - 4);
    return v;
  };
  const auto a = fill(m * k), b = fill(k * n), bias = fill(n);
  for (int variant = 0; variant < 8; ++variant) {
    const bool trans_a = variant & 1, trans_b = variant & 2, has_bias = variant & 4;
    onednn::MatMul matmul(m, n, k, trans_a, trans_b, has_bias);
    auto ws = workspace(matmul.workspace_bytes());
    auto c = nans(m * n), want = c;
    matmul.run(a.data(), b.data(), has_bias ? bias.data() : nullptr, c.data(), aligned(ws));
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        float sum = has_bias ? bias[j] : 0;
        for (int64_t t = 0; t < k; ++t) sum += a[trans_a ? t * m + i : i * k + t] * b[trans_b ? j * k + t : t * n + j];
        want[i * n + j] = sum;
      }
    CHECK(c == want);
  }
}
