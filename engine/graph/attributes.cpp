#include "engine/graph/attributes.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "engine/ops/op_spec.h"

namespace forger {
namespace {

struct Printer {
  std::string operator()(int64_t v) const { return std::to_string(v); }
  std::string operator()(double v) const { return fmt::format("{}", v); }
  std::string operator()(const std::string& v) const { return v; }
  std::string operator()(const std::vector<int64_t>& v) const { return fmt::format("[{}]", fmt::join(v, ",")); }
  std::string operator()(const ElementwiseTape& v) const {
    std::string text;
    for (const TapeInstruction& i : v.instructions) text += (text.empty() ? "" : " ") + std::string(name_of(i.op));
    return text;
  }
  std::string operator()(const Subgraph& v) const {
    std::string text;
    for (const Node& n : v.graph->nodes()) {
      if (!n.op->is_source) text += (text.empty() ? "" : " ") + std::string(n.op->name) + n.attributes.to_string();
    }
    return text;
  }
};

}  // namespace

bool Subgraph::operator==(const Subgraph& other) const {
  if (graph == other.graph) return true;
  const auto& a = graph->nodes();
  const auto& b = other.graph->nodes();
  const auto same = [](const Node& x, const Node& y) {
    return x.op == y.op && x.inputs == y.inputs && x.outputs == y.outputs && x.attributes == y.attributes;
  };
  return graph->real() == other.graph->real() && graph->outputs() == other.graph->outputs() &&
         std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
}

std::string Attributes::to_string() const {
  if (values_.empty()) return "";
  std::string text;
  for (const auto& [name, value] : values_) {
    text += (text.empty() ? "{" : ", ") + name + "=" + std::visit(Printer{}, value);
  }
  return text + "}";
}

}  // namespace forger
