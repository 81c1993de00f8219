#include "kernels/common/errors.h"
#include "kernels/simd/loss.h"
#include "tests/simd_testing.h"

using namespace forger;
using namespace simd_testing;

namespace {

double loss_of(double x, double t) {
  return std::max(x, 0.0) - x * t + std::log1p(std::exp(-std::abs(x)));
}
double slope_of(double x, double t) {  // without the cancellation of 1 / (1 + exp(-x)) - 1
  const double q = std::exp(-std::abs(x)) / (1 + std::exp(-std::abs(x)));
  return x < 0 ? q - t : (1 - t) - q;
}

}  // namespace

TEST_CASE("simd loss: binary cross-entropy and its gradient, every size") {
  for_each_isa([](Isa isa) {
    for (const int64_t n : kSizes) {
      for (const double smooth : {0.0, 0.1}) {  // hard targets, then targets anywhere
        CAPTURE(n);
        const auto x = reals(n, 1, -12, 12);
        auto t = reals(n, 2, 0, 1);
        if (smooth == 0) {
          for (float& v : t) v = v < 0.5f ? 0.f : 1.f;
        }
        double loss = 0;
        std::vector<double> slopes;
        for (int64_t i = 0; i < n; ++i) {
          loss += loss_of(x[i], t[i]) / static_cast<double>(n);
          slopes.push_back(slope_of(x[i], t[i]) / static_cast<double>(n));
        }
        Guarded mean(1), dlogits(n), alone(1);
        simd::bce_with_logits(x.data(), t.data(), n, mean.data(), dlogits.data(), isa);
        check_close(mean.values(), {loss}, 2e-7, n < 4 ? 1e-6 : 0);
        const double atol = smooth == 0 ? 0 : 1e-7 / static_cast<double>(n);
        check_close(dlogits.values(), slopes, 5e-7, atol);
        simd::bce_with_logits(x.data(), t.data(), n, alone.data(), nullptr, isa);
        CHECK(same_bits(mean.values(), alone.values()));
        for (const Guarded* out : {&mean, &dlogits, &alone}) CHECK(out->guards_intact());
      }
    }
  });
}

TEST_CASE("simd loss: confident logits neither overflow nor lose their gradient") {
  const std::vector<float> x = {1000.f, -1000.f, 40.f, -40.f, 1000.f, 3e38f}, t = {1.f, 0.f, 1.f, 0.f, 0.f, 0.f};
  const int64_t n = static_cast<int64_t>(x.size());
  for_each_isa([&](Isa isa) {
    Guarded loss(1), dlogits(n);
    simd::bce_with_logits(x.data(), t.data(), n, loss.data(), dlogits.data(), isa);
    CHECK(loss[0] == doctest::Approx(3e38 / 6).epsilon(1e-6));
    CHECK(dlogits[0] == 0.f);
    CHECK(dlogits[1] == 0.f);
    CHECK(dlogits[2] == doctest::Approx(-std::exp(-40.0) / 6).epsilon(1e-6));
    CHECK(dlogits[3] == doctest::Approx(std::exp(-40.0) / 6).epsilon(1e-6));
    CHECK(dlogits[4] == doctest::Approx(1.0 / 6).epsilon(1e-6));
  });
}

TEST_CASE("simd loss: NaN reaches the loss and its own gradient, in place, any number of threads") {
  const int64_t n = 100003;
  auto x = reals(n, 1, -5, 5);
  const auto t = reals(n, 2, 0, 1);
  for_each_isa([&](Isa isa) {
    check_same_on_any_threads([&] {
      Guarded out(x);
      float loss = kNaN;
      simd::bce_with_logits(out.data(), t.data(), n, &loss, out.data(), isa);
      std::vector<float> all(out.values().begin(), out.values().end());
      all.push_back(loss);
      return all;
    });
    auto spoiled = x;
    spoiled[70000] = kNaN;
    Guarded dlogits(n), loss(1);
    simd::bce_with_logits(spoiled.data(), t.data(), n, loss.data(), dlogits.data(), isa);
    CHECK(std::isnan(loss[0]));
    CHECK(std::isnan(dlogits[70000]));
    CHECK(std::isfinite(dlogits[69999]));
  });
  float out = 0;
  CHECK_THROWS_AS(simd::bce_with_logits(x.data(), t.data(), 0, &out, nullptr), ShapeError);
}
