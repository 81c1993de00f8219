#include "models/gan_networks.h"

#include "models/conditioning.h"

namespace forger {

GanNetworks::GanNetworks(const Recipe& recipe, const Config& config, Shape sample)
    : recipe_(recipe),
      sample_(std::move(sample)),
      g_options_(generator_options(config)),
      d_options_(discriminator_options(config)),
      z_dim_(config.integer("z-dim")),
      classes_(classes_of(config)),
      pack_(config.integer("pack")) {}

Network GanNetworks::generator(Graph& graph, const std::string& name) const {
  return {graph, name, g_options_};
}

Network GanNetworks::discriminator(Graph& graph) const {
  return {graph, "D", d_options_};
}

Value GanNetworks::generate(Network& g, Value z, const ForwardPass& pass) const {
  return recipe_.generator(g, classes_ > 0 ? condition_latent(z, pass.labels) : z, sample_, pass);
}

Value GanNetworks::discriminate(Network& d, Value samples, const ForwardPass& pass) const {
  if (classes_ > 0 && !d_options_.projection) samples = condition_samples(samples, pass.labels);
  return recipe_.discriminator(d, pack(samples, pack_), pass);
}

int64_t classes_of(const Config& config) {
  return config.text("conditional") == "none" ? 0 : config.integer("classes");
}

std::string sampling_network(const Config& config) {
  return config.real("ema") > 0 ? "G_ema" : "G";
}

}  // namespace forger
