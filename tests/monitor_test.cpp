// Every verdict of the monitor on made-up series, each beside one that must not provoke it.
#include "training/monitor.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

#include "evaluation/diversity.h"
#include "kernels/common/errors.h"
#include "models/recipe.h"

using namespace forger;

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kLog2 = 0.6931471805599453;

Monitor monitor() {
  return Monitor({kLog2, kLog2, "log 2"});
}

std::vector<Trouble> troubles(const Monitor& m) {
  std::vector<Trouble> found;
  for (const RunVerdict& v : m.verdicts()) {
    CHECK(v.message.find('\n') == std::string::npos);
    found.push_back(v.trouble);
  }
  return found;
}

/// A thousand steps, a line every 50.
template <class F>
Monitor after_losses(F record_at, int64_t steps = 1000, int64_t every = 50) {
  Monitor m = monitor();
  for (int64_t step = 0; step <= steps; step += every) m.add(LossRecord(record_at(step)));
  return m;
}

Monitor after_samples(SampleRecord first, SampleRecord second) {
  Monitor m = monitor();
  m.add(first);
  m.add(second);
  return m;
}

using Found = std::vector<Trouble>;

}  // namespace

TEST_CASE("monitor: a balanced run is healthy, with D winning in its first steps, too") {
  const Monitor m = after_losses([](int64_t step) -> LossRecord {
    const bool early = step < 150;
    return {step, early ? 0.05 : 0.65, early ? 1.0 : 0.55, early ? 4.0 : 0.9};
  });
  CHECK(troubles(m) == Found{});
  CHECK(troubles(monitor()) == Found{});
}

TEST_CASE("monitor: D won, by accuracy and by loss, only over a whole window") {
  CHECK(troubles(after_losses([](int64_t s) -> LossRecord { return {s, 0.5, 0.96, 1}; })) == Found{Trouble::d_won});
  CHECK(troubles(after_losses([](int64_t s) -> LossRecord { return {s, 0.5, 0.94, 1}; })) == Found{});
  CHECK(troubles(after_losses([](int64_t s) -> LossRecord { return {s, 0.09, 0.9, 1}; })) == Found{Trouble::d_won});
  CHECK(troubles(after_losses([](int64_t s) -> LossRecord { return {s, 0.11, 0.9, 1}; })) == Found{});
  CHECK(troubles(after_losses([](int64_t s) -> LossRecord { return {s, 0.01, 1, 1}; }, 450)) == Found{});  // too early to tell
  // Lines further apart than a window: the last three count.
  CHECK(troubles(after_losses([](int64_t s) -> LossRecord { return {s, 0.01, 1, 1}; }, 4000, 1000)) == Found{Trouble::d_won});
  // A loss whose equilibrium is 0 or none is judged neither by its size nor by how well D ranks.
  for (const auto& balance : {LossBalance{}, LossBalance{0.0, {}, "0"}}) {
    Monitor wasserstein{balance};
    for (int64_t s = 0; s <= 4000; s += 50) wasserstein.add(LossRecord{s, s / 50 % 8 < 4 ? -3.0 : -1.0, 0.99, 1});
    CHECK(troubles(wasserstein) == Found{});
  }
}

TEST_CASE("monitor: diverged, by size of the losses, by gradients, by what is not finite") {
  CHECK(troubles(after_losses([](int64_t s) -> LossRecord { return {s, 0.6, 0.5, 5000}; })) == Found{Trouble::diverged});
  CHECK(troubles(after_losses([](int64_t s) -> LossRecord { return {s, 0.6, 0.5, 500}; })) == Found{});
  CHECK(troubles(after_samples({600, 1, 1, 150, 1}, {700, 1, 1, 1, 101})) == Found{Trouble::diverged});
  CHECK(troubles(after_samples({600, 1, 1, 1, 1}, {700, 1, 1, 150, 1})) == Found{});  // once is a spike
  Monitor m = monitor();
  m.set_not_finite("D's loss is nan");
  CHECK(troubles(m) == Found{Trouble::diverged});
}

TEST_CASE("monitor: collapse needs two looks after the window, low and not rising") {
  CHECK(troubles(after_samples({600, 0.3, kNone, kNone, kNone}, {700, 0.3, kNone, kNone, kNone})) == Found{Trouble::collapse});
  CHECK(troubles(after_samples({600, 0.9, 0.4, 1, 1}, {700, 0.9, 0.3, 1, 1})) == Found{Trouble::collapse});
  CHECK(troubles(after_samples({600, 0.6, 0.9, 1, 1}, {700, 0.3, 0.9, 1, 1})) == Found{});
  CHECK(troubles(after_samples({600, 0.2, 0.9, 1, 1}, {700, 0.4, 0.9, 1, 1})) == Found{});  // still spreading out
  CHECK(troubles(after_samples({100, 0.3, 0.9, 1, 1}, {200, 0.3, 0.9, 1, 1})) == Found{});
  CHECK(troubles(after_samples({600, kNone, kNone, kNone, kNone}, {700, kNone, kNone, kNone, kNone})) == Found{});
}

TEST_CASE("monitor: oscillation is a period, not noise and not a trend") {
  const auto wave = [](double size) {
    return [size](int64_t s) -> LossRecord {
      return {s, 0.6 + size * std::sin(2 * M_PI * static_cast<double>(s) / 800), 0.6, 1};
    };
  };
  const Monitor m = after_losses(wave(0.2), 8000);
  CHECK(troubles(m) == Found{Trouble::oscillation});
  CHECK(m.verdicts()[0].message.find("every 800 steps") != std::string::npos);
  CHECK(troubles(after_losses(wave(0.02), 8000)) == Found{});  // a ripple
  CHECK(troubles(after_losses(wave(0.2), 2000)) == Found{});   // too few periods to tell
  CHECK(troubles(after_losses(
            [](int64_t s) -> LossRecord {
              return {s, 0.3 + 5e-5 * static_cast<double>(s), 0.6, 1};
            },
            8000)) == Found{});
  const auto drift = [](int64_t s) -> LossRecord {
    return {s, 0.6 + 0.2 * std::cos(M_PI * static_cast<double>(s) / 8000), 0.6, 1};
  };
  CHECK(troubles(after_losses(drift, 8000)) == Found{});  // half a period is none
  int alarms = 0;
  for (unsigned seed = 0; seed < 50; ++seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> noise(0.6, 0.15);
    alarms += !troubles(after_losses([&](int64_t s) -> LossRecord { return {s, noise(random), 0.6, 1}; }, 8000)).empty();
  }
  CHECK(alarms == 0);
}

TEST_CASE("monitor: evaluations show collapse, copies, and classes that come and go") {
  const auto after = [](const std::vector<EvaluationRecord>& records) {
    Monitor m = monitor();
    for (const EvaluationRecord& r : records) m.add(r);
    return troubles(m);
  };
  const auto covers = [](int64_t step, double share) { return EvaluationRecord{.step = step, .covered = share}; };
  CHECK(after({covers(1000, 0.4), covers(2000, 0.3)}) == Found{Trouble::collapse});
  CHECK(after({covers(1000, 0.3), covers(2000, 0.45)}) == Found{});  // still spreading out
  CHECK(after({covers(1000, 0.6), covers(2000, 0.3)}) == Found{});
  CHECK(after({covers(400, 0.4), covers(800, 0.3)}) == Found{});
  CHECK(after({covers(1000, 0.3)}) == Found{});

  const auto classes = [](int64_t step, std::vector<double> shares, double fdz) {
    return EvaluationRecord{.step = step, .covered = 1, .fdz = fdz, .copies = 0, .class_shares = std::move(shares)};
  };
  CHECK(after({classes(1000, {0.01, 0.99}, 1), classes(2000, {0.01, 0.99}, 1)}) == Found{Trouble::collapse});
  CHECK(after({classes(1000, {0.03, 0.97}, 1), classes(2000, {0.01, 0.99}, 1)}) == Found{});
  const std::vector<double> one{0.6, 0.4}, other{0.4, 0.6};
  const auto moving = [&](double last_fdz) {
    return after({classes(1000, one, 5), classes(2000, other, 5), classes(3000, one, 5), classes(4000, other, last_fdz)});
  };
  CHECK(moving(5) == Found{Trouble::oscillation});
  CHECK(moving(4) == Found{});  // it gets better
  CHECK(after({classes(1000, one, 5), classes(2000, other, 5), classes(3000, other, 5), classes(4000, one, 5)}) == Found{});

  CHECK(after({EvaluationRecord{.step = 100, .copies = 0.11}}) == Found{Trouble::memorisation});
  CHECK(after({EvaluationRecord{.step = 100, .copies = 0.09}}) == Found{});
}

TEST_CASE("monitor: two sights of one trouble are one verdict") {
  Monitor m = after_samples({600, 0.3, kNone, kNone, kNone}, {700, 0.3, kNone, kNone, kNone});
  for (const int64_t step : {600, 700}) m.add(EvaluationRecord{.step = step, .covered = 0.1});
  CHECK(troubles(m) == Found{Trouble::collapse});
}

TEST_CASE("monitor: autocorrelation of known series") {
  std::vector<double> wave, line(40, 0.0);
  for (size_t i = 0; i < 100; ++i) wave.push_back(std::cos(2 * M_PI * static_cast<double>(i) / 20));
  const auto peak = autocorrelation_peak(wave);
  REQUIRE(peak);
  CHECK(peak->lag == 20);
  CHECK(peak->value == doctest::Approx(1).epsilon(0.05));
  for (size_t i = 0; i < line.size(); ++i) line[i] = 3 + 0.1 * static_cast<double>(i);
  CHECK_FALSE(autocorrelation_peak(line));
  CHECK_FALSE(autocorrelation_peak(std::vector<double>(40, 2.5)));
  CHECK_FALSE(autocorrelation_peak({1, 2, 1, 2}));
  wave[3] = kNone;
  CHECK_FALSE(autocorrelation_peak(wave));
}

TEST_CASE("monitor: memorisation, and the worst verdict first") {
  Monitor m = after_losses([](int64_t s) -> LossRecord { return {s, 0.01, 1, 1}; });
  m.set_copied_share(0.19);
  CHECK(troubles(m) == Found{Trouble::d_won});
  m.set_copied_share(0.2);
  CHECK(troubles(m) == Found{Trouble::memorisation, Trouble::d_won});
  m.set_not_finite("a weight is not finite");
  CHECK(troubles(m) == Found{Trouble::diverged, Trouble::memorisation, Trouble::d_won});
}

TEST_CASE("diversity: pairwise distances, covered modes, copies") {
  const std::vector<float> square{0, 0, 3, 0, 0, 4};  // sides 3, 4, 5
  CHECK(mean_pairwise_distance(square, 2) == doctest::Approx(4));
  CHECK(mean_pairwise_distance({}, 2) == 0);
  CHECK_THROWS_AS(mean_pairwise_distance(square, 4), ShapeError);

  std::mt19937 random(1);
  std::normal_distribution<float> noise(0, 0.05f);
  const auto modes = [&](int count) {
    std::vector<float> rows;
    for (int i = 0; i < 400; ++i) {
      const double angle = 2 * M_PI * (i % count) / 8;
      rows.push_back(static_cast<float>(std::cos(angle)) + noise(random));
      rows.push_back(static_cast<float>(std::sin(angle)) + noise(random));
    }
    return rows;
  };
  const auto real = modes(8);
  CHECK(density_coverage(real, modes(8), 2) == doctest::Approx(1).epsilon(0.01));
  CHECK(density_coverage(real, modes(6), 2) == doctest::Approx(0.75).epsilon(0.01));
  CHECK(density_coverage(real, modes(2), 2) == doctest::Approx(0.25).epsilon(0.01));
  CHECK_THROWS_AS(density_coverage(real, {}, 2), DataError);

  std::vector<uint8_t> table;
  std::vector<float> copies, others;
  for (int i = 0; i < 40 * 64; ++i) {
    table.push_back(static_cast<uint8_t>(random()));
    others.push_back(static_cast<float>(random() % 256) / 127.5f - 1);
  }
  for (int i = 0; i < 8 * 64; ++i)
    copies.push_back(static_cast<float>(table[static_cast<size_t>(i)]) / 127.5f - 1 + noise(random));
  CHECK(copied_share(copies, table, 64) == 1);
  CHECK(copied_share(others, table, 64) == 0);
  std::copy(others.begin(), others.begin() + 4 * 64, copies.begin());
  CHECK(copied_share(copies, table, 64) == 0.5);
  CHECK(copied_share(copies, std::vector<uint8_t>(40 * 64, 7), 64) == 0);  // a set that repeats itself
}

TEST_CASE("equilibrium of the losses, as they are logged") {
  Config c = find_recipe("dcgan").defaults;
  CHECK(*loss_balance(c).d_loss == doctest::Approx(0.6931).epsilon(1e-4));
  c.set("d-update", std::string("sum"));
  CHECK(*loss_balance(c).d_loss == doctest::Approx(1.3863).epsilon(1e-4));
  CHECK(*loss_balance(c).g_loss == doctest::Approx(0.6931).epsilon(1e-4));
  c.set("loss", std::string("minimax"));
  CHECK(*loss_balance(c).g_loss == doctest::Approx(-0.6931).epsilon(1e-4));
  c.set("loss", std::string("mse"));
  CHECK(*loss_balance(c).d_loss == 0.5);
}
