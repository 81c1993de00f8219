#include <numbers>

#include "kernels/common/errors.h"
#include "kernels/common/philox.h"
#include "kernels/simd/random.h"
#include "tests/simd_testing.h"

using namespace forger;
using namespace simd_testing;

namespace {

// Every bit of the counter and the key is used: stream and step are longer than 32 bits.
constexpr uint64_t kSeed = 0x0123456789ABCDEFu, kStream = 0xFEDCBA987654u, kStep = 0x13579BDF2468u;

uint32_t word(int64_t i) {
  return philox_block(kSeed, kStream, kStep, static_cast<uint32_t>(i / 4)).v[i % 4];
}

const std::vector<int64_t> kLengths = {1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 65, 16384, 16387, 300007};

}  // namespace

TEST_CASE("simd random: uniform numbers are those of the scalar Philox, bit for bit") {
  for_each_isa([](Isa isa) {
    for (const int64_t n : kLengths) {
      CAPTURE(n);
      Guarded unit(n), range(n);
      simd::random_uniform(unit.data(), n, 0.f, 1.f, kSeed, kStream, kStep, isa);
      simd::random_uniform(range.data(), n, -0.3f, 2.7f, kSeed, kStream, kStep, isa);
      int64_t wrong = 0;
      const float width = 2.7f - -0.3f;
      for (int64_t i = 0; i < n; ++i) {
        const float u = philox_uniform(word(i));
        const float product = width * u;
        wrong += unit[i] != u || range[i] != -0.3f + product;
      }
      CHECK(wrong == 0);
      CHECK(unit.guards_intact());
      CHECK(range.guards_intact());
    }
  });
}

TEST_CASE("simd random: normal numbers are Box-Muller on pairs of words") {
  for_each_isa([](Isa isa) {
    for (const int64_t n : kLengths) {
      CAPTURE(n);
      std::vector<double> want, shifted;
      for (int64_t i = 0; i < n; ++i) {
        const double r = std::sqrt(-2 * std::log(double{philox_uniform_nonzero(word(i & ~1))}));
        const double a = 2 * std::numbers::pi * philox_uniform(word(i | 1));
        want.push_back(i % 2 == 0 ? r * std::cos(a) : r * std::sin(a));
        shifted.push_back(5 + 0.02 * want.back());
      }
      Guarded standard(n), other(n);
      simd::random_normal(standard.data(), n, 0.f, 1.f, kSeed, kStream, kStep, isa);
      simd::random_normal(other.data(), n, 5.f, 0.02f, kSeed, kStream, kStep, isa);
      // Relative to each number, however near sin or cos is to zero.
      check_close(standard.values(), want, 4e-7, 1e-12);
      check_close(other.values(), shifted, 2e-7, 0);
      CHECK(standard.guards_intact());
    }
  });
}

TEST_CASE("simd random: the moments of a million normal numbers") {
  const int64_t n = 1000003;
  std::vector<float> x(n);
  simd::random_normal(x.data(), n, 0.f, 1.f, 1, 2, 3);
  double m1 = 0, m2 = 0, m4 = 0;
  for (const double v : x) m1 += v / n, m2 += v * v / n, m4 += v * v * v * v / n;
  CHECK(std::abs(m1) < 5e-3);  // five standard deviations of each
  CHECK(std::abs(m2 - 1) < 7.1e-3);
  CHECK(std::abs(m4 - 3) < 0.05);
}

TEST_CASE("simd random: dropout keeps by the word, scales, and works in place") {
  for_each_isa([](Isa isa) {
    for (const int64_t n : kLengths) {
      for (const float rate : {0.f, 0.25f, 0.9f}) {
        CAPTURE(n);
        CAPTURE(rate);
        const auto x = reals(n, 1, 1, 2);
        Guarded out(n), in_place(x);
        simd::dropout(x.data(), out.data(), n, rate, kSeed, kStream, kStep, isa);
        simd::dropout(in_place.data(), in_place.data(), n, rate, kSeed, kStream, kStep, isa);
        int64_t wrong = 0;
        for (int64_t i = 0; i < n; ++i) {
          wrong += out[i] != (philox_uniform(word(i)) >= rate ? x[i] * (1.f / (1.f - rate)) : 0.f);
        }
        CHECK(wrong == 0);
        CHECK(same_bits(out.values(), in_place.values()));
        CHECK(out.guards_intact());
        CHECK(in_place.guards_intact());
      }
    }
    auto spoiled = reals(100, 1);
    spoiled[50] = kNaN;
    Guarded out(100);
    simd::dropout(spoiled.data(), out.data(), 100, 0.f, kSeed, kStream, kStep, isa);
    CHECK(std::isnan(out[50]));
  });
  float x = 1;
  for (const float rate : {-0.1f, 1.f, kNaN}) CHECK_THROWS_AS(simd::dropout(&x, &x, 1, rate, 0, 0, 0), ConfigError);
  CHECK_THROWS_AS(simd::random_uniform(&x, (int64_t{1} << 34) + 1, 0, 1, 0, 0, 0), ShapeError);
}

TEST_CASE("simd random: the same bits on any number of threads") {
  const int64_t n = 100003;
  const auto x = reals(n, 1);
  for_each_isa([&](Isa isa) {
    check_same_on_any_threads([&] {
      std::vector<float> out(3 * n);
      simd::random_uniform(out.data(), n, -1.f, 1.f, kSeed, kStream, kStep, isa);
      simd::random_normal(out.data() + n, n, 0.f, 1.f, kSeed, kStream, kStep, isa);
      simd::dropout(x.data(), out.data() + 2 * n, n, 0.5f, kSeed, kStream, kStep, isa);
      return out;
    });
  });
}
