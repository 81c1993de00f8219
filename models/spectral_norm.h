// Spectral normalisation: weights divided by their largest singular value. Miyato et al. 2018 (arXiv:1802.05957).
#pragma once

#include "models/network.h"

namespace forger {

/// weight / sigma, of the weight's shape; sigma is the largest singular value of the weight seen as a matrix
/// [rows, size / rows], estimated by the power method (algorithm 1 there):
///
///     v = W^T u / |W^T u|,  u = W v / |W v|,  sigma = u^T W v.
///
/// u [1, rows] is state of the network, "NAME/u". u and v count as constants, so that d sigma / d W = u v^T (equation 11
/// there). `advance`: keep the new u, once for every value that the weight has in a step; otherwise u stays, as in
/// inference and in the passes of a frozen network.
Value spectral_norm(Network& network, const std::string& name, Value weight, int64_t rows, bool advance);

}  // namespace forger
