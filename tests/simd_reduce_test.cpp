#include "kernels/simd/reduce.h"
#include "tests/simd_testing.h"

using namespace forger;
using namespace simd_testing;

namespace {

struct Size {
  int64_t rows, cols;
};
const Size kMatrices[] = {{1, 1},     {3, 1},     {17, 3},    {1000003, 1}, {100001, 3}, {7, 17},    {1, 1000},   {1000, 1},
                          {9999, 16}, {2500, 63}, {2503, 64}, {2503, 65},   {33, 1000},  {5, 20011}, {2, 300007}, {128, 12544}};

/// Sums in double, with the sums of magnitudes that bound the error.
struct Sums {
  std::vector<double> sum, magnitude;
};

template <class IndexOf>
Sums reference(const std::vector<float>& x, int64_t outputs, const IndexOf& output_of) {
  Sums s = {std::vector<double>(outputs), std::vector<double>(outputs)};
  for (int64_t i = 0; i < static_cast<int64_t>(x.size()); ++i) {
    s.sum[output_of(i)] += x[i];
    s.magnitude[output_of(i)] += std::abs(x[i]);
  }
  return s;
}

/// Within half an ulp of the result plus what summing trees of eight may lose.
void check_sums(const Guarded& out, const Sums& want) {
  for (size_t i = 0; i < want.sum.size(); ++i) {
    const double bound = 6e-8 * std::abs(want.sum[i]) + 6e-8 * want.magnitude[i];
    if (!(std::abs(out[i] - want.sum[i]) <= bound)) {
      CAPTURE(i);
      CHECK(out[i] == want.sum[i]);
      return;
    }
  }
  CHECK(out.guards_intact());
}

}  // namespace

TEST_CASE("simd sums: rows, columns and all of matrices of many shapes") {
  for_each_isa([](Isa isa) {
    for (const auto [rows, cols] : kMatrices) {
      CAPTURE(rows);
      CAPTURE(cols);
      const auto x = reals(rows * cols, 5, -1, 3);
      const int64_t columns = cols;
      Guarded by_column(cols), by_row(rows), all(1);
      simd::sum_rows(x.data(), rows, cols, by_column.data(), isa);
      check_sums(by_column, reference(x, cols, [=](int64_t i) { return i % columns; }));
      simd::sum_cols(x.data(), rows, cols, by_row.data(), isa);
      check_sums(by_row, reference(x, rows, [=](int64_t i) { return i / columns; }));
      simd::sum_all(x.data(), rows * cols, 1.f, all.data(), isa);
      check_sums(all, reference(x, 1, [](int64_t) { return 0; }));
    }
  });
}

TEST_CASE(
    "simd sums: a million equal numbers are summed exactly, where plain floats are off by a tenth of a "
    "percent") {
  const int64_t n = 1 << 20;
  const std::vector<float> x(n, 0.1f);
  const double want = static_cast<double>(0.1f) * n;
  for_each_isa([&](Isa isa) {
    float sum = kNaN, mean = kNaN;
    simd::sum_all(x.data(), n, 1.f, &sum, isa);
    CHECK(sum == static_cast<float>(want));
    simd::sum_all(x.data(), n, 1.f / n, &mean, isa);
    CHECK(mean == 0.1f);
    simd::sum_rows(x.data(), n, 1, &sum, isa);
    CHECK(sum == static_cast<float>(want));
  });
}

TEST_CASE("simd sums: the same bits on any number of threads") {
  const int64_t rows = 5003, cols = 100;
  const auto x = reals(rows * cols, 6);
  for_each_isa([&](Isa isa) {
    check_same_on_any_threads([&] {
      std::vector<float> out(cols + rows + 2);
      simd::sum_rows(x.data(), rows, cols, out.data(), isa);
      simd::sum_cols(x.data(), rows, cols, out.data() + cols, isa);
      simd::sum_all(x.data(), rows * cols, 1.f, out.data() + cols + rows, isa);
      simd::sum_cols(x.data(), 1, rows * cols, out.data() + cols + rows + 1, isa);
      return out;
    });
  });
}

TEST_CASE("simd sums: NaN and infinity reach their sum and no other, nothing sums to zero") {
  const int64_t rows = 1000, cols = 20;
  auto x = reals(rows * cols, 7);
  x[777 * cols + 3] = kNaN;
  x[999 * cols + 19] = kInf;
  for_each_isa([&](Isa isa) {
    Guarded by_column(cols), by_row(rows);
    simd::sum_rows(x.data(), rows, cols, by_column.data(), isa);
    simd::sum_cols(x.data(), rows, cols, by_row.data(), isa);
    for (int64_t c = 0; c < cols; ++c) CHECK(std::isfinite(by_column[c]) == (c != 3 && c != 19));
    for (int64_t r = 0; r < rows; ++r) CHECK(std::isfinite(by_row[r]) == (r != 777 && r != 999));
    CHECK(std::isnan(by_column[3]));
    CHECK(by_column[19] == kInf);

    Guarded empty(cols);
    simd::sum_rows(x.data(), 0, cols, empty.data(), isa);
    CHECK(empty[0] == 0.f);
    CHECK(empty[19] == 0.f);
    float all = kNaN;
    simd::sum_all(x.data(), 0, 1.f, &all, isa);
    CHECK(all == 0.f);
  });
}
