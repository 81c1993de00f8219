// Metrics of what a classifier says: histogram of classes, classifier score, modes of stacked digits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace forger {

/// Share of each of `classes` classes. Throws DataError if there is no label or one that is too large.
std::vector<double> class_shares(std::span<const uint8_t> labels, int64_t classes = 10);

/// Half the sum of |p - q|: 0 for equal histograms, 1 for those with nothing in common.
double total_variation(std::span<const double> p, std::span<const double> q);

/// exp of the mean of KL(p(y|x) || p(y)) over rows of probabilities [n, classes]: the Inception score of Salimans et al. 2016
/// with this classifier, in one split. At most `classes`. Throws DataError if there is no row.
double classifier_score(std::span<const float> probabilities, int64_t classes = 10);

/// How many modes of stacked digits were seen, and KL(generated || uniform) in nats: Metz et al. 2017, Srivastava et al. 2017.
struct StackedModes {
  int64_t modes = 0;
  double kl = 0;
};
/// labels [n, channels]: a mode is one digit per channel, 10^channels in all.
StackedModes stacked_modes(std::span<const uint8_t> labels, int64_t channels = 3);

}  // namespace forger
