// Distances between samples on a line.
#pragma once

#include <functional>
#include <span>

namespace forger {

/// The integral of |F - G| over the two samples' distribution functions: the Wasserstein distance of order 1, in the
/// samples' unit. All throw DataError if a sample is empty or holds a number that is not finite.
double wasserstein_1(std::span<const double> a, std::span<const double> b);

/// The largest |F - G|: the statistic of Kolmogorov and Smirnov.
double kolmogorov_smirnov(std::span<const double> a, std::span<const double> b);
/// The same against a distribution function.
double kolmogorov_smirnov(std::span<const double> a, const std::function<double(double)>& cdf);

double mean_of(std::span<const double> values);
/// Around the mean, divided by n.
double deviation_of(std::span<const double> values);

}  // namespace forger
