// Any text is a config that can be merged into a recipe's options, or a ConfigError.
#include <cstddef>
#include <cstdint>

#include "kernels/common/errors.h"
#include "models/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using forger::Option;
  forger::Config config("toy", {Option{.name = "steps", .value = int64_t{10}, .help = "", .low = 1, .high = 100, .choices = {}},
                                Option{.name = "rate", .value = 0.5, .help = "", .low = 0, .high = 1, .choices = {}},
                                Option{.name = "loss", .value = "mse", .help = "", .choices = {"mse", "bce"}}});
  try {
    config.merge_json({reinterpret_cast<const char*>(data), size}, "input");
    // What was accepted must read back as it is.
    forger::Config again = config;
    again.merge_json(config.to_json(), "again");
    if (!(again == config)) __builtin_trap();
  } catch (const forger::ConfigError&) {
  }
  return 0;
}
