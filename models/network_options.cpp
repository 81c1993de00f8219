#include "models/network_options.h"

namespace forger {

NetworkOptions generator_options(const Config& config) {
  NetworkOptions options;
  const std::string& spectral = config.text("spectral-norm");
  options.spectral_norm = spectral == "g" || spectral == "both";
  if (config.has("collapse")) options.collapse = config.text("collapse") == "on";
  if (config.has("width")) options.width = config.integer("width");
  return options;
}

NetworkOptions discriminator_options(const Config& config) {
  NetworkOptions options;
  if (config.has("d-norm")) {
    const std::string& norm = config.text("d-norm");
    options.norm = norm == "batch"   ? NetworkOptions::Norm::batch
                   : norm == "layer" ? NetworkOptions::Norm::layer
                                     : NetworkOptions::Norm::none;
  }
  if (config.has("width")) options.width = config.integer("width");
  if (config.has("d-dropout")) options.dropout = config.real("d-dropout");
  const std::string& spectral = config.text("spectral-norm");
  options.spectral_norm = spectral == "d" || spectral == "both";
  options.minibatch_stddev = config.text("minibatch-stddev") == "on";
  options.projection = config.text("conditional") == "projection";
  return options;
}

}  // namespace forger
