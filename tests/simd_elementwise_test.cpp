#include <algorithm>

#include "kernels/common/errors.h"
#include "kernels/simd/elementwise.h"
#include "kernels/simd/random.h"
#include "tests/simd_testing.h"

using namespace forger;
using namespace simd_testing;

namespace {

constexpr int kNumOps = static_cast<int>(ScalarOp::shift) + 1;

/// The definition of each operation, in double; NaN in, NaN out except for the slopes.
double reference(ScalarOp op, double a, double b, double p) {
  switch (op) {
    case ScalarOp::add:
      return a + b;
    case ScalarOp::sub:
      return a - b;
    case ScalarOp::mul:
      return a * b;
    case ScalarOp::div:
      return a / b;
    case ScalarOp::maximum:
      return std::isnan(a) || std::isnan(b) ? NAN : std::max(a, b);
    case ScalarOp::minimum:
      return std::isnan(a) || std::isnan(b) ? NAN : std::min(a, b);
    case ScalarOp::neg:
      return -a;
    case ScalarOp::exp:
      return std::exp(a);
    case ScalarOp::log:
      return std::log(a);
    case ScalarOp::sqrt:
      return std::sqrt(a);
    case ScalarOp::rsqrt:
      return 1 / std::sqrt(a);
    case ScalarOp::square:
      return a * a;
    case ScalarOp::abs:
      return std::abs(a);
    case ScalarOp::sign:
      return std::isnan(a) ? a : (a > 0) - (a < 0);
    case ScalarOp::reciprocal:
      return 1 / a;
    case ScalarOp::relu:
      return std::isnan(a) ? a : std::max(a, 0.0);
    case ScalarOp::leaky_relu:
      return a > 0 ? a : p * a;
    case ScalarOp::tanh:
      return std::tanh(a);
    case ScalarOp::sigmoid:
      return 1 / (1 + std::exp(-a));
    case ScalarOp::softplus:
      return std::isnan(a) ? a : std::max(a, 0.0) + std::log1p(std::exp(-std::abs(a)));
    case ScalarOp::heaviside:
      return a > 0 ? 1 : 0;
    case ScalarOp::leaky_slope:
      return a > 0 ? 1 : p;
    case ScalarOp::scale:
      return p * a;
    case ScalarOp::shift:
      return a + p;
    case ScalarOp::dropout:
      break;  // has a test of its own
  }
  return NAN;
}

std::vector<double> reference(const ElementwiseTape& tape, const std::vector<ElementwiseInput<float>>& inputs, int64_t n) {
  std::vector<double> out(static_cast<size_t>(n));
  std::vector<double> values;
  for (int64_t i = 0; i < n; ++i) {
    values.clear();
    for (const auto& input : inputs) values.push_back(input.data[i % input.period]);
    for (const auto& step : tape.instructions) {
      values.push_back(reference(step.op, values[step.a], is_binary(step.op) ? values[step.b] : 0, step.p));
    }
    out[i] = values.back();
  }
  return out;
}

ElementwiseTape single(ScalarOp op, float p) {
  return is_binary(op) ? ElementwiseTape{2, {{op, 0, 1, p}}} : ElementwiseTape{1, {{op, 0, 0, p}}};
}

const std::vector<float> kSpecials = {0.f,      -0.f,  1.f,   -1.f,   kInf,    -kInf,   kNaN,  1e-45f, -1e-45f, 1e-38f, 3.4e38f,
                                      -3.4e38f, 88.7f, 88.8f, -87.3f, -103.9f, -104.1f, 1e10f, -1e10f, 0.5f,    2.f};

}  // namespace

TEST_CASE("simd elementwise: every operation at every size") {
  for_each_isa([](Isa isa) {
    for (int op = 0; op < kNumOps; ++op) {
      CAPTURE(op);
      for (const int64_t n : kSizes) {
        if (n > 20000 && op % 6 != 0) continue;
        CAPTURE(n);
        const bool positive = op == int(ScalarOp::log) || op == int(ScalarOp::sqrt) || op == int(ScalarOp::rsqrt);
        const auto a = reals(n, 1, positive ? 1e-3 : -9, 9), b = reals(n, 2, -3, 3);
        const ElementwiseTape tape = single(ScalarOp(op), 0.3f);
        std::vector<ElementwiseInput<float>> inputs = {{a.data(), n}, {b.data(), n}};
        inputs.resize(tape.num_inputs);
        Guarded out(n);
        simd::elementwise(tape, inputs, out.data(), n, isa);
        check_close(out.values(), reference(tape, inputs, n), 4e-7, 1e-37);
        CHECK(out.guards_intact());
      }
    }
  });
}

TEST_CASE("simd elementwise: zeros, infinities, subnormals and NaN") {
  const int64_t count = static_cast<int64_t>(kSpecials.size());
  std::vector<float> a, b;  // all pairs
  for (const float x : kSpecials) {
    for (const float y : kSpecials) a.push_back(x), b.push_back(y);
  }
  const int64_t n = count * count;
  for_each_isa([&](Isa isa) {
    for (int op = 0; op < kNumOps; ++op) {
      CAPTURE(op);
      const ElementwiseTape tape = single(ScalarOp(op), 0.3f);
      std::vector<ElementwiseInput<float>> inputs = {{a.data(), n}, {b.data(), n}};
      inputs.resize(tape.num_inputs);
      Guarded out(n);
      simd::elementwise(tape, inputs, out.data(), n, isa);
      check_close(out.values(), reference(tape, inputs, n), 4e-7, 1.5e-45);
    }
  });
}

TEST_CASE("simd elementwise: inputs of any period, in every phase") {
  for_each_isa([](Isa isa) {
    for (const int64_t n : {int64_t{1}, int64_t{100}, int64_t{40000}, int64_t{100003}}) {
      for (const int64_t period : {1, 3, 64, 511, 512, 513, 700, 5000, 50000}) {
        CAPTURE(n);
        CAPTURE(period);
        const auto a = reals(n, 1), b = reals(period, 2);
        const ElementwiseTape tape = {2, {{ScalarOp::sub, 0, 1}}};
        const std::vector<ElementwiseInput<float>> inputs = {{a.data(), n}, {b.data(), period}};
        Guarded out(n);
        simd::elementwise(tape, inputs, out.data(), n, isa);
        check_close(out.values(), reference(tape, inputs, n), 1e-7, 0);
        CHECK(out.guards_intact());
      }
    }
  });
}

TEST_CASE("simd elementwise: long tapes, whose temporaries are used again") {
  const int64_t n = 3001;
  const auto a = reals(n, 1), b = reals(7, 2), c = reals(1, 3);
  const std::vector<ElementwiseInput<float>> inputs = {{a.data(), n}, {b.data(), 7}, {c.data(), 1}};
  uint32_t state = 1;
  const auto below = [&state](uint32_t bound) {
    state = state * 1664525u + 1013904223u;
    return static_cast<uint16_t>((state >> 16) % bound);
  };
  for (int trial = 0; trial < 40; ++trial) {
    // Exact operations on small numbers: any mix-up of temporaries is seen, whatever the tape.
    const ScalarOp ops[] = {ScalarOp::maximum, ScalarOp::minimum, ScalarOp::neg, ScalarOp::abs, ScalarOp::relu, ScalarOp::sign};
    ElementwiseTape tape = {3, {}};
    const uint32_t length = 1 + below(30);
    for (uint32_t i = 0; i < length; ++i) {
      tape.instructions.push_back({ops[below(6)], below(3 + i), below(3 + i), 0.f});
    }
    REQUIRE(simd::supports_tape(tape));
    for_each_isa([&](Isa isa) {
      Guarded out(n);
      simd::elementwise(tape, inputs, out.data(), n, isa);
      check_close(out.values(), reference(tape, inputs, n), 0, 0);
      CHECK(out.guards_intact());
    });
  }
}

TEST_CASE("simd elementwise: in place, on any number of threads") {
  const int64_t n = 100003;
  const auto a = reals(n, 1), bias = reals(64, 2);
  const ElementwiseTape tape = {2, {{ScalarOp::add, 0, 1}, {ScalarOp::tanh, 2}, {ScalarOp::mul, 3, 0}, {ScalarOp::exp, 4}}};
  for_each_isa([&](Isa isa) {
    const std::vector<ElementwiseInput<float>> inputs = {{a.data(), n}, {bias.data(), 64}};
    Guarded apart(n);
    simd::elementwise(tape, inputs, apart.data(), n, isa);
    check_same_on_any_threads([&] {
      Guarded x(a);
      simd::elementwise(tape, std::vector<ElementwiseInput<float>>{{x.data(), n}, {bias.data(), 64}}, x.data(), n, isa);
      CHECK(same_bits(x.values(), apart.values()));
      return std::vector<float>(x.values().begin(), x.values().end());
    });
  });
}

TEST_CASE("simd elementwise: tapes that cannot be run are refused") {
  const float x = 1;
  float out = 0;
  const std::vector<ElementwiseInput<float>> one = {{&x, 1}}, none, bad_period = {{&x, 0}};
  CHECK_THROWS_AS(simd::elementwise({1, {}}, one, &out, 1), ShapeError);
  CHECK_THROWS_AS(simd::elementwise({1, {{ScalarOp::add, 0, 1}}}, one, &out, 1), ShapeError);
  CHECK_THROWS_AS(simd::elementwise({1, {{ScalarOp::neg, 1}}}, one, &out, 1), ShapeError);
  CHECK_THROWS_AS(simd::elementwise({1, {{ScalarOp::neg, 0}}}, none, &out, 1), ShapeError);
  CHECK_THROWS_AS(simd::elementwise({1, {{ScalarOp::neg, 0}}}, bad_period, &out, 1), ShapeError);

  // 60 values alive at once, then added up.
  ElementwiseTape wide = {1, {}};
  for (int i = 0; i < 60; ++i) wide.instructions.push_back({ScalarOp::shift, 0, 0, 1.f});
  wide.instructions.push_back({ScalarOp::add, 1, 2});
  for (uint16_t i = 2; i < 60; ++i) wide.instructions.push_back({ScalarOp::add, uint16_t(59 + i), uint16_t(i + 1)});
  CHECK_FALSE(simd::supports_tape(wide));
  CHECK_THROWS_AS(simd::elementwise(wide, one, &out, 1), ShapeError);
  simd::elementwise({1, {{ScalarOp::neg, 0}}}, one, &out, 0);  // no elements: nothing happens
  CHECK(out == 0);
}

TEST_CASE("simd elementwise: dropout in a tape has the bits of dropout by itself") {
  constexpr uint64_t kStream = 0x123456789AB;
  const TapeRandom random{7, 12345};
  for_each_isa([&](Isa isa) {
    for (const int64_t n : {int64_t{1}, int64_t{63}, int64_t{513}, int64_t{40007}}) {
      CAPTURE(n);
      const auto x = reals(n, 3, -2, 2);
      std::vector<float> expected(static_cast<size_t>(n));
      simd::dropout(x.data(), expected.data(), n, 0.3f, random.seed, kStream, random.step, isa);
      // In front of it and behind it: what changes no bit.
      const ElementwiseTape tape = {
          1, {{ScalarOp::neg, 0}, {ScalarOp::dropout, 1, 0, 0.3, kStream}, {ScalarOp::neg, 2}, {ScalarOp::scale, 3, 0, 1.0}}};
      const ElementwiseInput<float> input = {x.data(), n};
      Guarded out(n);
      simd::elementwise(tape, {&input, 1}, out.data(), n, isa, random);
      CHECK(std::ranges::equal(out.values(), expected));
      CHECK(out.guards_intact());
    }
  });
}
