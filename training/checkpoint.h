// Checkpoints: every variable of a run and the config that made it, in one safetensors file.
#pragma once

#include "engine/runtime/variable_store.h"
#include "models/config.h"

namespace forger {

/// Writes all variables, atomically: the file appears whole under its name or not at all. Nothing in it depends on the
/// time or the place, so equal runs give equal bytes.
void save_checkpoint(const std::string& path, const VariableStore& variables, const Config& config, uint32_t data_crc);

/// The same without what only training needs: no optimizer's state.
void save_weights(const std::string& path, const VariableStore& variables, const Config& config, uint32_t data_crc);

struct Checkpoint {
  std::string path;
  Config config;
  int64_t step = 0;
  uint32_t data_crc = 0;  // of the real samples it was trained on
  std::map<std::string, std::pair<TensorType, std::vector<std::byte>>> tensors;

  /// Copies every tensor into the store. Throws DataError if one is missing, superfluous or of another type.
  void restore(VariableStore& variables) const;
};

/// Reads and checks one file. Throws DataError (damaged, not a checkpoint) or ConfigError (unknown recipe).
Checkpoint load_checkpoint(const std::string& path);
/// The same from memory; `name` begins the messages of errors.
Checkpoint parse_checkpoint(std::vector<uint8_t> bytes, const std::string& name);

/// RUN on the command line: a checkpoint file, or a run directory, of which the newest whole checkpoint is taken.
/// `note` receives a line for every damaged checkpoint that was passed over.
Checkpoint find_checkpoint(const std::string& run, const std::function<void(const std::string&)>& note);

}  // namespace forger
