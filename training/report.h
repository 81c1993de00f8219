// report.html: one file that shows a run in any browser, with no network.
#pragma once

#include <cstdint>
#include <string>

#include "models/config.h"
#include "models/recipe.h"

namespace forger {

/// The name of the file in a run directory that holds the last look at a distribution on a line or in the plane.
inline constexpr const char* kDistributionFile = "distribution.json";

/// Writes RUN/report.html, atomically, from what the run directory holds: metrics.jsonl, pictures, distribution.json,
/// evaluation.json. The same contents give the same bytes. Long runs are thinned: at most 2,000 points of a curve and 24
/// pictures, the first and the last among them. `step`: steps done. Throws DataError
/// if it cannot be written.
void write_report(const std::string& run, const Recipe& recipe, const Config& config, int64_t step);

}  // namespace forger
