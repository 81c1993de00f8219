// Metrics of samples in the plane whose distribution is a mixture of equal normal distributions, and of the pattern 1010.
#pragma once

#include <span>

#include "datasets/mixture.h"

namespace forger {

struct MixtureMetrics {
  int64_t modes = 0;          // with at least 25 % of their expected share of high-quality samples
  int64_t modes_lenient = 0;  // with at least one high-quality sample
  double high_quality = 0;    // share of samples within 3 sigma of their nearest centre
  double reverse_kl = 0;      // KL(nearest centres of the samples || uniform), nats
  double sigma_ratio = 0;     // deviation of the high-quality samples from their centres, over that of a normal cut at 3 sigma
};
/// samples [n, dims], mixture of normal noise in the plane. Lin et al. 2018 ("PacGAN"), section 4.1; Srivastava et al. 2017.
/// Throws DataError if there is no sample or one that is not finite.
MixtureMetrics mixture_metrics(const Mixture& mixture, std::span<const float> samples);

struct PatternMetrics {
  double in_box = 0;       // share of samples all of whose coordinates lie in their interval
  double mean_error = 0;   // largest |mean - middle of the interval| over the coordinates
  double ks = 0;           // largest Kolmogorov-Smirnov statistic of a coordinate against its uniform distribution
  double correlation = 0;  // largest |correlation| of two coordinates; 1 if one does not vary
};
/// samples [n, dims] of a mixture with one centre and uniform noise. Throws DataError.
PatternMetrics pattern_metrics(const Mixture& mixture, std::span<const float> samples);

}  // namespace forger
