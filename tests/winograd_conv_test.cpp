// Winograd convolutions against plain loops, on every instruction set that this CPU has.
#include "kernels/winograd/conv2d.h"
#include "tests/conv_test_util.h"

using namespace forger;
using namespace forger::conv_test;

namespace {

const std::vector<Conv2dShape> kShapes = {
    same(2, 14, 16, 32, 4, 1),
    same(1, 4, 32, 16, 4, 1),
    same(2, 14, 48, 16, 4, 2),
    same(1, 7, 16, 16, 4, 2),
    same(1, 9, 16, 80, 2, 1),
    same(1, 9, 16, 16, 8, 2),
    same(1, 11, 16, 16, 6, 3),
    same(3, 28, 16, 16, 4, 1),
    {2, 6, 17, 16, 32, 4, 4, 5, 13, 1, 1, 1, 0},  // nothing is square
    {1, 9, 9, 16, 16, 4, 4, 3, 3, 1, 1, 0, 0},    // most of the input is never read
    {1, 3, 3, 16, 16, 2, 2, 8, 8, 1, 1, 3, 3},    // padding wider than the filter
    {1, 9, 12, 16, 16, 4, 4, 5, 6, 2, 2, 2, 0},   // even padding, stride 2
};

/// The filter's gradient has an atol of its own: over a handful of pixels plain sums hardly round at all, while
/// Winograd's transforms cost their few units in the last place whatever the number of summands.
void check_all(const Conv2dShape& s, Isa isa, double factor, double atol) {
  const Operands o = make_operands(s, false);
  REQUIRE_FALSE(winograd::computes(s).has_value());
  for (const bool bias : {false, true}) {
    const winograd::Conv2d forward(s, bias, isa);
    auto workspace = nans(forward.workspace_bytes() / 4), y = nans(s.output_size()), dx = nans(s.input_size());
    forward.run(o.x.data(), o.w.data(), o.bias_k.data(), y.data(), workspace.data());
    check(s, o, Direction::forward, bias ? o.bias_k : std::vector<float>{}, y, factor, atol);
    const winograd::Conv2dInputGrad input_grad(s, bias, isa);
    workspace = nans(input_grad.workspace_bytes() / 4);
    input_grad.run(o.dy.data(), o.w.data(), o.bias_c.data(), dx.data(), workspace.data());
    check(s, o, Direction::input_grad, bias ? o.bias_c : std::vector<float>{}, dx, factor, atol);
  }
  const winograd::Conv2dFilterGrad filter_grad(s, isa);
  auto workspace = nans(filter_grad.workspace_bytes() / 4), dw = nans(s.filter_size()), again = dw;
  filter_grad.run(o.x.data(), o.dy.data(), dw.data(), workspace.data());
  check(s, o, Direction::filter_grad, {}, dw, factor, 4 * atol);
  filter_grad.run(o.x.data(), o.dy.data(), again.data(), workspace.data());
  CHECK(dw == again);
}

}  // namespace

TEST_CASE("winograd convolutions are within a few times the error of plain float32 loops") {
  for (const Isa isa : available_isas()) {
    for (const auto& s : kShapes) check_all(s, isa, 4, 1e-6);
  }
}

TEST_CASE("winograd convolutions of a whole layer") {
  check_all(same(4, 14, 128, 128, 4, 1), best_isa(), 4, 1e-6);
  check_all(same(4, 28, 128, 64, 4, 2), best_isa(), 4, 1e-6);
}

TEST_CASE("winograd says why it declines") {
  CHECK(winograd::computes(same(1, 8, 16, 16, 3, 1)).has_value());
  CHECK(winograd::computes(same(1, 8, 17, 16, 4, 1)).has_value());
  CHECK_FALSE(winograd::supports(same(32, 28, 128, 64, 4, 1)).has_value());
  CHECK_FALSE(winograd::supports(same(32, 28, 128, 128, 4, 2)).has_value());
  CHECK(winograd::supports(same(32, 4, 128, 256, 4, 1)).has_value());  // mostly padding
  CHECK(winograd::supports(same(1, 8, 128, 64, 4, 1)).has_value());    // nine tiles
}
