// Which vendor libraries this process finds, for `forger doctor`.
#pragma once

#include <string>

namespace forger::vendor {

/// "cuDNN 9.19.0, cuBLASLt 13.1.0", with the reason in place of a version that cannot be told. Loads both libraries; needs
/// no GPU and never throws.
std::string versions();

}  // namespace forger::vendor
