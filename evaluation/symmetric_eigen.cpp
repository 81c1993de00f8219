#include "evaluation/symmetric_eigen.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/common/errors.h"

namespace forger {
namespace {

constexpr int kMaxSweeps = 60;  // 6 to 10 are usual

/// Applies the rotation (c, s) to columns p and q of the symmetric a and of v.
void rotate(std::vector<double>& a, std::vector<double>& v, size_t n, size_t p, size_t q) {
  const double apq = a[p * n + q];
  if (apq == 0) return;
  const double theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
  const double t = std::copysign(1.0, theta) / (std::fabs(theta) + std::sqrt(theta * theta + 1));
  const double c = 1 / std::sqrt(t * t + 1), s = t * c;
  for (size_t k = 0; k < n; ++k) {
    const double akp = a[k * n + p], akq = a[k * n + q];
    a[k * n + p] = c * akp - s * akq;
    a[k * n + q] = s * akp + c * akq;
  }
  for (size_t k = 0; k < n; ++k) {
    const double apk = a[p * n + k], aqk = a[q * n + k];
    a[p * n + k] = c * apk - s * aqk;
    a[q * n + k] = s * apk + c * aqk;
  }
  for (size_t k = 0; k < n; ++k) {
    const double vkp = v[k * n + p], vkq = v[k * n + q];
    v[k * n + p] = c * vkp - s * vkq;
    v[k * n + q] = s * vkp + c * vkq;
  }
}

}  // namespace

SymmetricEigen symmetric_eigen(std::span<const double> matrix, int64_t size) {
  const auto n = static_cast<size_t>(size);
  if (matrix.size() != n * n) fail<ShapeError>("symmetric_eigen: {} numbers, expected {} x {}", matrix.size(), n, n);
  std::vector<double> a(n * n), v(n * n, 0.0);
  double norm = 0;
  for (size_t i = 0; i < n; ++i) {
    v[i * n + i] = 1;
    for (size_t j = 0; j < n; ++j) {
      a[i * n + j] = matrix[std::min(i, j) * n + std::max(i, j)];
      if (!std::isfinite(a[i * n + j])) fail<DataError>("symmetric_eigen: element ({}, {}) is {}", i, j, a[i * n + j]);
      norm += a[i * n + j] * a[i * n + j];
    }
  }
  for (int sweep = 0; sweep < kMaxSweeps; ++sweep) {
    double off = 0;
    for (size_t p = 0; p < n; ++p) {
      for (size_t q = p + 1; q < n; ++q) off += a[p * n + q] * a[p * n + q];
    }
    if (off <= 1e-32 * norm) break;
    for (size_t p = 0; p < n; ++p) {
      for (size_t q = p + 1; q < n; ++q) rotate(a, v, n, p, q);
    }
  }
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t i, size_t j) { return a[i * n + i] < a[j * n + j]; });
  SymmetricEigen result{std::vector<double>(n), std::vector<double>(n * n)};
  for (size_t j = 0; j < n; ++j) {
    result.values[j] = a[order[j] * n + order[j]];
    for (size_t i = 0; i < n; ++i) result.vectors[i * n + j] = v[i * n + order[j]];
  }
  return result;
}

std::vector<double> symmetric_sqrt(std::span<const double> a, int64_t size) {
  const SymmetricEigen e = symmetric_eigen(a, size);
  const auto n = static_cast<size_t>(size);
  std::vector<double> root(n * n, 0.0);
  for (size_t k = 0; k < n; ++k) {
    const double r = std::sqrt(std::max(e.values[k], 0.0));
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) root[i * n + j] += r * e.vectors[i * n + k] * e.vectors[j * n + k];
    }
  }
  return root;
}

}  // namespace forger
