#include "kernels/common/errors.h"
#include "kernels/simd/batch_norm.h"
#include "tests/simd_testing.h"

using namespace forger;
using namespace simd_testing;

namespace {

struct Size {
  int64_t M, C;
};
// One sample; fewer channels than lanes, with rows left over; whole registers; many blocks; dense layers.
const Size kShapes[] = {{1, 1}, {1, 17}, {2, 3}, {17, 1}, {1003, 3}, {37, 16}, {4096, 64}, {5003, 65}, {128, 1000}, {70001, 5}};

constexpr float kEps = 1e-3f, kMomentum = 0.8f;

/// Plain loops in double over the definitions in batch_norm.h.
struct Reference {
  std::vector<double> y, mean, inv_std, new_mean, new_var;
  std::vector<double> dx, dgamma, dbeta;
};

struct Data {
  int64_t M, C;
  std::vector<float> x, dy, gamma, beta, running_mean, running_var;

  Data(int64_t M_, int64_t C_, double offset = 3)
      : M(M_),
        C(C_),
        x(reals(M * C, 1, offset - 1, offset + 1)),
        dy(reals(M * C, 2)),
        gamma(reals(C, 3, 0.5, 1.5)),
        beta(reals(C, 4)),
        running_mean(reals(C, 5)),
        running_var(reals(C, 6, 0.5, 2)) {}

  Reference reference() const {
    Reference r;
    r.y.resize(x.size());
    r.dx.resize(x.size());
    const double m = static_cast<double>(M);
    for (int64_t c = 0; c < C; ++c) {
      double mean = 0, var = 0, dgamma = 0, dbeta = 0;
      for (int64_t i = 0; i < M; ++i) mean += x[i * C + c] / m;
      for (int64_t i = 0; i < M; ++i) var += (x[i * C + c] - mean) * (x[i * C + c] - mean) / m;
      const double inv_std = 1 / std::sqrt(var + double{kEps});
      const auto xhat = [&](int64_t i) { return (x[i * C + c] - mean) * inv_std; };
      for (int64_t i = 0; i < M; ++i) {
        r.y[i * C + c] = gamma[c] * xhat(i) + beta[c];
        dbeta += dy[i * C + c];
        dgamma += dy[i * C + c] * xhat(i);
      }
      for (int64_t i = 0; i < M; ++i) {
        r.dx[i * C + c] = gamma[c] * inv_std * (dy[i * C + c] - dbeta / m - xhat(i) * dgamma / m);
      }
      r.mean.push_back(mean);
      r.inv_std.push_back(inv_std);
      r.new_mean.push_back(double{kMomentum} * running_mean[c] + (1 - double{kMomentum}) * mean);
      r.new_var.push_back(double{kMomentum} * running_var[c] + (1 - double{kMomentum}) * var * (M > 1 ? m / (m - 1) : 1));
      r.dgamma.push_back(dgamma);
      r.dbeta.push_back(dbeta);
    }
    return r;
  }
};

struct Forward {
  Guarded y, mean, inv_std, new_mean, new_var;

  Forward(const Data& d, Isa isa) : y(d.M * d.C), mean(d.C), inv_std(d.C), new_mean(d.C), new_var(d.C) {
    simd::batch_norm_training({.M = d.M,
                               .C = d.C,
                               .x = d.x.data(),
                               .gamma = d.gamma.data(),
                               .beta = d.beta.data(),
                               .running_mean = d.running_mean.data(),
                               .running_var = d.running_var.data(),
                               .eps = kEps,
                               .momentum = kMomentum,
                               .y = y.data(),
                               .mean = mean.data(),
                               .inv_std = inv_std.data(),
                               .new_running_mean = new_mean.data(),
                               .new_running_var = new_var.data()},
                              isa);
    for (const Guarded* out : {&y, &mean, &inv_std, &new_mean, &new_var}) CHECK(out->guards_intact());
  }
};

struct Backward {
  Guarded dx, dgamma, dbeta;

  Backward(const Data& d, Forward& f, Isa isa) : dx(d.M * d.C), dgamma(d.C), dbeta(d.C) {
    simd::batch_norm_backward({.M = d.M,
                               .C = d.C,
                               .x = d.x.data(),
                               .dy = d.dy.data(),
                               .gamma = d.gamma.data(),
                               .mean = f.mean.data(),
                               .inv_std = f.inv_std.data(),
                               .dx = dx.data(),
                               .dgamma = dgamma.data(),
                               .dbeta = dbeta.data()},
                              isa);
    for (const Guarded* out : {&dx, &dgamma, &dbeta}) CHECK(out->guards_intact());
  }
};

}  // namespace

TEST_CASE("simd batch norm: training, forward and backward, against plain loops in double") {
  for_each_isa([](Isa isa) {
    for (const auto [M, C] : kShapes) {
      CAPTURE(M);
      CAPTURE(C);
      const Data d(M, C);
      const Reference want = d.reference();
      Forward f(d, isa);
      check_close(f.mean.values(), want.mean, 1e-7, 0);
      check_close(f.inv_std.values(), want.inv_std, 2e-7, 0);
      check_close(f.new_mean.values(), want.new_mean, 1e-7, 1e-7);
      check_close(f.new_var.values(), want.new_var, 2e-7, 0);
      // The mean is rounded to float before it is subtracted: 2^-24 of 3, times 1.5 * inv_std.
      const double rounding = 2e-7 * 1.5 * (M < 3 ? 32 : 2);
      check_close(f.y.values(), want.y, 1e-6, 3 * rounding);
      const Backward b(d, f, isa);
      const double sqrt_m = std::sqrt(static_cast<double>(M));
      check_close(b.dbeta.values(), want.dbeta, 1e-6, 1e-7 * sqrt_m);
      check_close(b.dgamma.values(), want.dgamma, 1e-6, M < 3 ? 2e-5 : 1e-6 * sqrt_m);
      check_close(b.dx.values(), want.dx, 1e-6, M < 3 ? 1e-3 : 2e-6);
    }
  });
}

TEST_CASE("simd batch norm: the variance survives a mean a thousand times larger") {
  // E[x^2] - mean^2 in float would lose every digit: the variance is 1/3, the mean 10^4.
  const Data d(20000, 3, 1e4);
  const Reference want = d.reference();
  for_each_isa([&](Isa isa) {
    Forward f(d, isa);
    check_close(f.inv_std.values(), want.inv_std, 2e-7, 0);
    check_close(f.mean.values(), want.mean, 1e-7, 0);
  });
}

TEST_CASE("simd batch norm: inference and in place") {
  const Data d(1003, 7);
  std::vector<double> inference = to_double(d.x);
  for (size_t i = 0; i < inference.size(); ++i) {
    const size_t c = i % d.C;
    const double inv_std = 1 / std::sqrt(double{d.running_var[c]} + kEps);
    inference[i] = (inference[i] - d.running_mean[c]) * inv_std * d.gamma[c] + d.beta[c];
  }
  for_each_isa([&](Isa isa) {
    Guarded both(d.x);  // y is x
    simd::batch_norm_inference({.M = d.M,
                                .C = d.C,
                                .x = both.data(),
                                .gamma = d.gamma.data(),
                                .beta = d.beta.data(),
                                .mean = d.running_mean.data(),
                                .var = d.running_var.data(),
                                .eps = kEps,
                                .y = both.data()},
                               isa);
    check_close(both.values(), inference, 1e-6, 1e-6);
    CHECK(both.guards_intact());

    Forward apart(d, isa);
    const Backward b(d, apart, isa);
    Guarded x(d.x), dy(d.dy), mean(d.running_mean), var(d.running_var), batch_mean(d.C), inv_std(d.C), dgamma(d.C), dbeta(d.C);
    simd::batch_norm_backward({.M = d.M,
                               .C = d.C,
                               .x = x.data(),
                               .dy = dy.data(),
                               .gamma = d.gamma.data(),
                               .mean = apart.mean.data(),
                               .inv_std = apart.inv_std.data(),
                               .dx = dy.data(),
                               .dgamma = dgamma.data(),
                               .dbeta = dbeta.data()},
                              isa);
    simd::batch_norm_training({.M = d.M,
                               .C = d.C,
                               .x = x.data(),
                               .gamma = d.gamma.data(),
                               .beta = d.beta.data(),
                               .running_mean = mean.data(),
                               .running_var = var.data(),
                               .eps = kEps,
                               .momentum = kMomentum,
                               .y = x.data(),
                               .mean = batch_mean.data(),
                               .inv_std = inv_std.data(),
                               .new_running_mean = mean.data(),
                               .new_running_var = var.data()},
                              isa);
    CHECK(same_bits(dy.values(), b.dx.values()));
    CHECK(same_bits(x.values(), apart.y.values()));
    CHECK(same_bits(mean.values(), apart.new_mean.values()));
    CHECK(same_bits(var.values(), apart.new_var.values()));
  });
}

TEST_CASE("simd batch norm: the same bits on any number of threads") {
  for (const auto [M, C] : {Size{5003, 65}, Size{70001, 5}}) {
    const Data d(M, C);
    for_each_isa([&](Isa isa) {
      check_same_on_any_threads([&] {
        Forward f(d, isa);
        const Backward b(d, f, isa);
        std::vector<float> all;
        for (const Guarded* out : std::initializer_list<const Guarded*>{&f.y, &f.mean, &f.inv_std, &f.new_mean, &f.new_var, &b.dx,
                                                                        &b.dgamma, &b.dbeta}) {
          all.insert(all.end(), out->values().begin(), out->values().end());
        }
        return all;
      });
    });
  }
}

TEST_CASE("simd batch norm: NaN spoils its channel and no other, empty sizes are refused") {
  Data d(1003, 20);
  d.x[1002 * 20 + 5] = kNaN;
  d.x[3 * 20 + 6] = kInf;
  for_each_isa([&](Isa isa) {
    Forward f(d, isa);
    const Backward b(d, f, isa);
    for (int64_t c = 0; c < 20; ++c) {
      const bool spoiled = c == 5 || c == 6;
      CHECK(std::isnan(f.y[c]) == spoiled);
      CHECK(std::isnan(f.new_var[c]) == spoiled);
      CHECK(std::isnan(b.dx[c]) == spoiled);
      CHECK(std::isnan(b.dgamma[c]) == spoiled);
      CHECK(std::isfinite(b.dbeta[c]));
    }
  });
  d.M = 0;
  CHECK_THROWS_AS(simd::batch_norm_training({.M = 0, .C = 20}), ShapeError);
  CHECK_THROWS_AS(simd::batch_norm_backward({.M = 3, .C = 0}), ShapeError);
}
