#include "engine/graph/attributes.h"

#include <fmt/ranges.h>

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
};

}  // namespace

std::string Attributes::to_string() const {
  if (values_.empty()) return "";
  std::string text;
  for (const auto& [name, value] : values_) {
    text += (text.empty() ? "{" : ", ") + name + "=" + std::visit(Printer{}, value);
  }
  return text + "}";
}

}  // namespace forger
