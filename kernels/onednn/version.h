// Which oneDNN this is, for `forger doctor`.
#pragma once

#include <string>

namespace forger::onednn {

/// "2.6.3, AVX-512 with bf16", as the library itself reports.
std::string version();

}  // namespace forger::onednn
