#include "engine/ops/ops.h"
#include "tests/cases/case.h"

namespace forger {

void add_shape_cases(std::vector<Case>& cases) {
  const auto add = [&](const char* op, std::string name, std::vector<CaseInput> inputs,
                       std::function<void(std::span<const Value>)> build) {
    cases.push_back(
        {.op = op, .name = std::move(name), .inputs = std::move(inputs), .build = std::move(build), .exact_on_integers = true});
  };
  add("reshape", "[2,6] to [3,4]", {{{2, 6}}}, [](auto v) { reshape(v[0], {3, 4}); });
  add("broadcast_to", "channels", {{{5}}}, [](auto v) { broadcast_to(v[0], {2, 3, 4, 5}); });
  add("broadcast_to", "inner axis", {{{3, 1}}}, [](auto v) { broadcast_to(v[0], {2, 3, 4}); });
  add("broadcast_to", "scalar", {{{}}}, [](auto v) { broadcast_to(v[0], {7}); });
  const Shape x{4, 5, 6, 7};
  for (const std::vector<int64_t>& axes : {std::vector<int64_t>{0, 1, 2}, {0, 1, 2, 3}, {3}, {1, 2}, {2, 3}, {0}}) {
    add("reduce_sum", "axes " + to_string(axes), {{x}}, [axes](auto v) { reduce_sum(v[0], axes); });
  }
  add("reduce_sum", "long column", {{{5000, 3}}}, [](auto v) { reduce_sum(v[0], {0}); });
  add("reduce_sum", "kept axis", {{{6, 10}}}, [](auto v) { reduce_sum(v[0], {1}, true); });
  add("concat", "batches", {{{2, 3, 5}}, {{4, 3, 5}}}, [](auto v) { concat({v[0], v[1]}, 0); });
  add("concat", "channels of three", {{{2, 3, 1}}, {{2, 3, 4}}, {{2, 3, 2}}}, [](auto v) { concat({v[0], v[1], v[2]}, 2); });
  add("slice", "inside", {{{5, 6, 7}}}, [](auto v) { slice(v[0], {1, 0, 3}, {2, 6, 4}); });
  add("pad", "around", {{{2, 3}}}, [](auto v) { pad(v[0], {1, 2}, {4, 7}); });
}

}  // namespace forger
