#include "kernels/simd/optimizers.h"
#include "tests/simd_testing.h"

using namespace forger;
using namespace simd_testing;

namespace {

const std::vector<int64_t> kTensors = {1, 3, 0, 17, 40001, 64, 16384};  // of one network

/// The tensors of one name, each with its guards.
std::vector<Guarded> tensors(uint64_t seed, double low, double high) {
  std::vector<Guarded> all;
  for (const int64_t n : kTensors) all.emplace_back(reals(n, seed++, low, high));
  return all;
}
std::vector<Guarded> blank() {
  std::vector<Guarded> all;
  for (const int64_t n : kTensors) all.emplace_back(n);
  return all;
}

std::vector<float> joined(const std::vector<Guarded>& all) {
  std::vector<float> numbers;
  for (const Guarded& one : all) {
    CHECK(one.guards_intact());
    numbers.insert(numbers.end(), one.values().begin(), one.values().end());
  }
  return numbers;
}
std::vector<float> joined(std::vector<float> a, const std::vector<Guarded>& b) {
  const auto more = joined(b);
  a.insert(a.end(), more.begin(), more.end());
  return a;
}

}  // namespace

TEST_CASE("simd optimizers: Adam as in Keras 2, apart and in place, on any number of threads") {
  // An epsilon that counts: under the square root it would give something else.
  const simd::AdamOptions options = {.lr = 2e-4f, .beta1 = 0.5f, .beta2 = 0.999f, .eps = 0.01f};
  const double b1 = options.beta1, b2 = options.beta2;
  for (const int64_t t : {int64_t{1}, int64_t{2}, int64_t{1000}, int64_t{1} << 40}) {
    CAPTURE(t);
    auto p = tensors(10, -1, 1), m = tensors(20, -1, 1), v = tensors(30, 0, 1), g = tensors(40, -1, 1);
    const auto p0 = joined(p), m0 = joined(m), v0 = joined(v), g0 = joined(g);
    const double lr_t = options.lr * std::sqrt(1 - std::pow(b2, t)) / (1 - std::pow(b1, t));
    std::vector<double> p1, m1, v1;
    for (size_t i = 0; i < p0.size(); ++i) {
      m1.push_back(b1 * m0[i] + (1 - b1) * g0[i]);
      v1.push_back(b2 * v0[i] + (1 - b2) * g0[i] * g0[i]);
      p1.push_back(p0[i] - lr_t * m1[i] / (std::sqrt(v1[i]) + options.eps));
    }
    for_each_isa([&](Isa isa) {
      const auto run = [&](auto& p_in, auto& m_in, auto& v_in, auto& p_out, auto& m_out, auto& v_out) {
        std::vector<simd::AdamTensor> all;
        for (size_t k = 0; k < kTensors.size(); ++k) {
          all.push_back({kTensors[k], p_in[k].data(), m_in[k].data(), v_in[k].data(), g[k].data(), p_out[k].data(),
                         m_out[k].data(), v_out[k].data()});
        }
        simd::adam(all, options, t, isa);
        return joined(joined(joined(p_out), m_out), v_out);
      };
      auto p_out = blank(), m_out = blank(), v_out = blank();
      const auto apart = run(p, m, v, p_out, m_out, v_out);
      check_close(joined(p_out), p1, 1.2e-7, 1e-9);
      check_close(joined(m_out), m1, 1.2e-7, 1e-7);
      check_close(joined(v_out), v1, 2.4e-7, 0);
      check_same_on_any_threads([&] {
        auto p_in = p, m_in = m, v_in = v;
        const auto in_place = run(p_in, m_in, v_in, p_in, m_in, v_in);
        CHECK(same_bits(in_place, apart));
        return in_place;
      });
    });
  }
}

TEST_CASE("simd optimizers: SGD with and without momentum") {
  const float lr = 0.01f;
  auto p = tensors(10, -1, 1), v = tensors(20, -1, 1), g = tensors(30, -1, 1);
  const auto p0 = joined(p), v0 = joined(v), g0 = joined(g);
  for_each_isa([&](Isa isa) {
    for (const float momentum : {0.f, 0.9f}) {
      CAPTURE(momentum);
      std::vector<double> p1, v1;
      for (size_t i = 0; i < p0.size(); ++i) {
        v1.push_back(double{momentum} * v0[i] - double{lr} * g0[i]);
        p1.push_back(p0[i] + v1[i]);
      }
      auto p_out = blank(), v_out = blank(), p_plain = p;
      std::vector<simd::SgdTensor> all, plain;
      for (size_t k = 0; k < kTensors.size(); ++k) {
        all.push_back({kTensors[k], p[k].data(), v[k].data(), g[k].data(), p_out[k].data(), v_out[k].data()});
        plain.push_back({kTensors[k], p_plain[k].data(), nullptr, g[k].data(), p_plain[k].data(), nullptr});
      }
      simd::sgd(all, lr, momentum, isa);
      check_close(joined(p_out), p1, 1.2e-7, 1e-7);
      check_close(joined(v_out), v1, 1.2e-7, 1e-8);
      if (momentum == 0.f) {
        simd::sgd(plain, lr, 0.f, isa);
        check_close(joined(p_plain), p1, 1.2e-7, 1e-7);
      }
    }
  });
}

TEST_CASE("simd optimizers: RMSProp as in Keras 2, NaN in a gradient reaches the parameter") {
  const float lr = 1e-3f, rho = 0.9f, eps = 0.01f;
  auto p = tensors(10, -1, 1), r = tensors(20, 0, 1), g = tensors(30, -1, 1);
  g[4].data()[40000] = kNaN;
  const auto p0 = joined(p), r0 = joined(r), g0 = joined(g);
  std::vector<double> p1, r1;
  for (size_t i = 0; i < p0.size(); ++i) {
    r1.push_back(double{rho} * r0[i] + (1 - double{rho}) * g0[i] * g0[i]);
    p1.push_back(p0[i] - lr * g0[i] / (std::sqrt(r1[i]) + eps));
  }
  for_each_isa([&](Isa isa) {
    auto p_out = p, r_out = r;  // in place
    std::vector<simd::RmspropTensor> all;
    for (size_t k = 0; k < kTensors.size(); ++k) {
      all.push_back({kTensors[k], p_out[k].data(), r_out[k].data(), g[k].data(), p_out[k].data(), r_out[k].data()});
    }
    simd::rmsprop(all, lr, rho, eps, isa);
    check_close(joined(p_out), p1, 1.2e-7, 1e-9);
    check_close(joined(r_out), r1, 3e-7, 0);
    CHECK(std::isnan(p_out[4][40000]));
  });
}

TEST_CASE("simd optimizers: 1 - beta2 and 1 - rho are rounded once: 1 - 0.999f would be off by 1.3e-5") {
  const float zero = 0, one = 1;
  for_each_isa([&](Isa isa) {
    float p = 0, m = 0, v = 0;
    simd::adam(std::vector<simd::AdamTensor>{{1, &zero, &zero, &zero, &one, &p, &m, &v}}, {.beta1 = 0.9, .beta2 = 0.999}, 1, isa);
    CHECK(m == static_cast<float>(1 - 0.9));
    CHECK(v == static_cast<float>(1 - 0.999));
    simd::rmsprop(std::vector<simd::RmspropTensor>{{1, &zero, &zero, &one, &p, &v}}, 0.001f, 0.999, 1e-7f, isa);
    CHECK(v == static_cast<float>(1 - 0.999));
  });
}
