// The accuracy that kernels/simd/leaf/math.h states, on floats of every sign and exponent.
#include "kernels/simd/elementwise.h"
#include "tests/simd_testing.h"

using namespace forger;
using namespace simd_testing;

namespace {

struct Function {
  ScalarOp op;
  double (*exact)(double);
  double ulps;  // as stated, rounded up
};

const Function kFunctions[] = {
    {ScalarOp::exp, [](double x) { return std::exp(x); }, 1.1},
    {ScalarOp::log, [](double x) { return std::log(x); }, 1.0},
    {ScalarOp::tanh, [](double x) { return std::tanh(x); }, 2.5},
    {ScalarOp::sigmoid, [](double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }, 2.6},
    {ScalarOp::softplus, [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }, 2.6},
};

/// The distance between floats near x.
double ulp(double x) {
  int exponent;
  std::frexp(x, &exponent);
  return std::ldexp(1.0, std::max(exponent - 24, -149));
}

}  // namespace

TEST_CASE("simd math: every function is within its stated error") {
  // A step of 9973 through the bits visits 430,000 floats: 1700 of each sign and exponent.
  std::vector<float> x;
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += 9973) {
    const float value = std::bit_cast<float>(static_cast<uint32_t>(bits));
    if (!std::isnan(value)) x.push_back(value);
  }
  const int64_t n = static_cast<int64_t>(x.size());
  for_each_isa([&](Isa isa) {
    for (const Function& f : kFunctions) {
      Guarded out(n);
      const ElementwiseInput<float> input = {x.data(), n};
      simd::elementwise({1, {{f.op}}}, {&input, 1}, out.data(), n, isa);
      double worst = 0;
      float at = 0;
      for (int64_t i = 0; i < n; ++i) {
        const double want = f.exact(x[i]);
        const float rounded = static_cast<float>(want);
        double error = std::abs(out[i] - want) / ulp(want);
        if (!std::isfinite(rounded)) error = std::isnan(rounded) ? (std::isnan(out[i]) ? 0 : 1e9) : (out[i] == rounded ? 0 : 1e9);
        if (!(error <= worst)) {
          worst = error;
          at = x[i];
        }
      }
      CAPTURE(int(f.op));
      CAPTURE(at);
      CHECK(worst <= f.ulps);
      CHECK(worst > 0.4);  // an error of nothing would mean that nothing was compared
    }
  });
}
