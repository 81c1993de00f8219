// Distance between two one-dimensional samples, the one that the 1-D recipe reports.
#pragma once

#include <span>

namespace forger {

/// KL(real || fake) in nats, estimated on `bins` equal bins between the smallest and largest value of both samples;
/// every bin gets one half sample more (Krichevsky and Trofimov 1981), so that an empty bin does not make it infinite.
/// Throws DataError if a sample is empty or holds a number that is not finite.
double histogram_kl(std::span<const double> real, std::span<const double> fake, int bins = 42);

}  // namespace forger
