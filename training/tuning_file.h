// Timed plans of kernels, kept for the next run on the same kind of device.
#pragma once

#include <string>

#include "engine/runtime/backend.h"

namespace forger {

/// The file for a device: FORGER_CACHE, or forger in XDG_CACHE_HOME or in ~/.cache, and there plans-NAME.json.
/// Throws ConfigError if none of the three variables that lead there is set.
std::string tuning_file(const std::string& device);

/// Empty if there is no such file. Throws DataError that says to delete it if it holds anything else than plans for the device.
Tuning read_tuning(const std::string& path, const std::string& device);
/// The plans for a step on an open GPU (or emulator): those kept for its kind, and what they lack, timed now and kept.
/// Says on the terminal what it times. Throws ConfigError for a CPU, whose kernels have one plan each.
std::shared_ptr<const Tuning> tune(const Graph& step, const Backend& backend);

/// Atomically; makes the folder. Throws DataError.
void write_tuning(const std::string& path, const std::string& device, const Tuning& tuning);

}  // namespace forger
