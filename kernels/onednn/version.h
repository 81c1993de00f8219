// Which oneDNN this is, for `forger doctor`.
#pragma once

#include <string>

namespace forger::onednn {

/// Returns "2.6.3, AVX-512 with bf16", as the library itself reports, or that it was not found at build time.
std::string version();

}  // namespace forger::onednn
