// The kernels for few output channels against plain loops, on every instruction set that this CPU has.
#include "kernels/direct/few_outputs.h"
#include "tests/conv_test_util.h"

using namespace forger;
using namespace forger::conv_test;

namespace {

const std::vector<Conv2dShape> kShapes = {
    same(3, 28, 64, 1, 7, 1),
    same(1, 5, 16, 1, 3, 1),
    same(2, 9, 48, 3, 4, 1),
    same(2, 15, 32, 2, 8, 1),
    same(2, 9, 16, 1, 3, 2),
    {2, 6, 17, 16, 2, 2, 5, 6, 15, 1, 1, 1, 0},  // nothing is square; the last columns meet zeros
    {1, 9, 9, 16, 1, 3, 3, 4, 4, 1, 1, 0, 0},    // most of the input is never read
    {1, 3, 3, 16, 1, 2, 2, 8, 8, 1, 1, 3, 3},    // padding wider than the filter
    {1, 8, 8, 16, 1, 3, 3, 3, 3, 3, 3, 1, 1},
};

void check_all(const Conv2dShape& s, Isa isa, bool integers, double factor, double atol) {
  const Operands o = make_operands(s, integers);
  REQUIRE_FALSE(direct::supports_forward(s).has_value());
  for (const bool bias : {false, true}) {
    const direct::Conv2d forward(s, bias, isa);
    std::vector<float> workspace = nans(forward.workspace_bytes() / 4), y = nans(s.output_size());
    forward.run(o.x.data(), o.w.data(), o.bias_k.data(), y.data(), workspace.data());
    check(s, o, Direction::forward, bias ? o.bias_k : std::vector<float>{}, y, factor, atol);
  }
  if (direct::supports_filter_grad(s)) return;
  const direct::Conv2dFilterGrad filter_grad(s, isa);
  std::vector<float> workspace = nans(filter_grad.workspace_bytes() / 4), dw = nans(s.filter_size());
  filter_grad.run(o.x.data(), o.dy.data(), dw.data(), workspace.data());
  check(s, o, Direction::filter_grad, {}, dw, factor, atol);
}

}  // namespace

TEST_CASE("direct convolutions are exact on small integers") {
  for (const Isa isa : available_isas()) {
    for (const auto& s : kShapes) check_all(s, isa, true, 0, 0);
  }
}

TEST_CASE("direct convolutions are as accurate as plain float32 loops") {
  for (const Isa isa : available_isas()) {
    for (const auto& s : kShapes) check_all(s, isa, false, 2, 1e-6);
  }
}

TEST_CASE("direct convolutions say why they decline") {
  CHECK(direct::supports_forward(same(1, 8, 16, 64, 3, 1)).has_value());
  CHECK(direct::supports_forward(same(1, 8, 17, 1, 3, 1)).has_value());
  CHECK(direct::supports_filter_grad(same(1, 8, 16, 1, 3, 2)).has_value());
}
