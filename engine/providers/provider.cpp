#include "engine/providers/provider.h"

#include "engine/ops/op_spec.h"

namespace forger {

const char* name_of(Precision precision) {
  constexpr const char* kNames[] = {"fp32", "tf32", "bf16"};
  return kNames[static_cast<int>(precision)];
}

Precision parse_precision(const std::string& name) {
  for (const Precision p : {Precision::fp32, Precision::tf32, Precision::bf16}) {
    if (name == name_of(p)) return p;
  }
  fail<ConfigError>("--precision: '{}' is not one of fp32, tf32, bf16", name);
}

std::span<const Provider* const> all_providers() {
  static const Provider* const providers[] = {
      &onednn_provider(),  &reference_provider(), &emulated::provider(), &cuda::provider(),
#ifdef FORGER_HAVE_VENDOR
      &vendor::provider(),
#endif
  };
  return providers;
}

namespace {

std::string attributes_key(Attributes attributes) {
  for (const char* name : {"stream", "draw"}) {
    if (attributes.has(name)) attributes.set(name, int64_t{0});
  }
  std::string key = attributes.to_string();
  if (!attributes.has("program")) return key;
  for (const Node& node : attributes.get<Subgraph>("program").graph->nodes()) {
    if (!node.op->is_source) key += " " + std::string(node.op->name) + attributes_key(node.attributes);
  }
  return key;
}

}  // namespace

std::string problem_key(const NodeView& node) {
  std::string key = fmt::format("{} {}", node.node().op->name, name_of(node.target().precision));
  for (size_t i = 0; i < node.num_inputs(); ++i) key += " " + to_string(node.input(i));
  return key + attributes_key(node.attributes());
}

const char* name_of(Provider::Place place) {
  constexpr const char* kNames[] = {"a CPU", "the emulator", "a GPU"};
  return kNames[static_cast<int>(place)];
}

std::string provider_names(Provider::Place place) {
  std::string names;
  for (const Provider* p : all_providers()) {
    if (p->place == place && !p->kernels.empty()) names += (names.empty() ? "" : ", ") + std::string(p->name);
  }
  return names;
}

std::vector<const Provider*> parse_providers(const std::string& names) {
  std::vector<const Provider*> result;
  size_t begin = 0;
  while (begin <= names.size()) {
    const size_t end = std::min(names.find(',', begin), names.size());
    const std::string name = names.substr(begin, end - begin);
    const Provider* found = nullptr;
    std::string known;
    for (const Provider* p : all_providers()) {
      if (p->name == name) found = p;
      known += (known.empty() ? "" : ", ") + std::string(p->name);
    }
    if (!found) fail<ConfigError>("--providers: there is no provider '{}'; known: {}", name, known);
    result.push_back(found);
    begin = end + 1;
  }
  return result;
}

Choice choose_kernel(const NodeView& node, std::span<const Provider* const> providers) {
  Choice choice;
  for (const Provider* provider : providers) {
    for (const Kernel& kernel : provider->kernels) {
      if (kernel.op != node.node().op->name) continue;
      const bool other_precision = kernel.precision && *kernel.precision != node.target().precision;
      const auto reason =
          other_precision ? fmt::format("is for --precision {}", name_of(*kernel.precision)) : kernel.declines(node);
      if (!reason) {
        choice.provider = provider;
        choice.kernel = &kernel;
        return choice;
      }
      choice.declined.push_back(std::string(kernel.name) + ": " + *reason);
    }
  }
  std::string reasons;
  for (const std::string& r : choice.declined) reasons += "; " + r;
  fail<Error>("{}: no kernel runs {}{}", node.node().path, node.node().op->name, reasons);
}

}  // namespace forger
