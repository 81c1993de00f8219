// Which methods cannot be put together.
#pragma once

#include "models/config.h"

namespace forger {

/// Throws ConfigError that names the flags, why they do not fit together, and what to give instead.
void check_methods(const Config& config);

}  // namespace forger
