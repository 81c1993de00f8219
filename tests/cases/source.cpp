#include "engine/ops/ops.h"
#include "tests/cases/case.h"

namespace forger {

void add_source_cases(std::vector<Case>& cases) {
  cases.push_back({.op = "variable",
                   .name = "scalar",
                   .inputs = {},
                   .build =
                       [](std::span<const Value> v) {
                         v[0].graph().variable("v", {DType::i64, {}}, Initializer::zeros());
                       },
                   .check_gradients = false});
  cases.push_back({.op = "input",
                   .name = "vector",
                   .inputs = {},
                   .build =
                       [](std::span<const Value> v) {
                         v[0].graph().input("x", {DType::u8, {3}});
                       },
                   .check_gradients = false});
  for (const Shape& shape : {Shape{}, Shape{3, 5}, Shape{4096}, Shape{70, 99}}) {
    cases.push_back({.op = "fill",
                     .name = to_string(shape),
                     .inputs = {},
                     .build = [shape](std::span<const Value> v) { fill(v[0].graph(), 0.25, shape); },
                     .check_gradients = false});
  }
  cases.push_back({.op = "increment",
                   .name = "counter",
                   .inputs = {{{}, CaseInput::Kind::step}},
                   .build = [](std::span<const Value> v) { increment(v[0]); },
                   .check_gradients = false});
  const CaseInput rows{{9}, CaseInput::Kind::indices, 0, 6};
  cases.push_back({.op = "gather",
                   .name = "bytes",
                   .inputs = {{{6, 7, 5, 1}, CaseInput::Kind::bytes}, rows},
                   .build = [](std::span<const Value> v) { gather(v[0], v[1]); },
                   .check_gradients = false});
  cases.push_back({.op = "gather",
                   .name = "points",
                   .inputs = {{{6, 2}}, rows},
                   .build = [](std::span<const Value> v) { gather(v[0], v[1]); },
                   .exact_on_integers = true,
                   .check_gradients = false});
  cases.push_back({.op = "gather",
                   .name = "labels",
                   .inputs = {{{6}, CaseInput::Kind::labels, 0, 10}, rows},
                   .build = [](std::span<const Value> v) { gather(v[0], v[1]); },
                   .exact_on_integers = true,
                   .check_gradients = false});
  for (const Shape& table : {Shape{6, 28, 28, 1}, Shape{6, 4, 4}, Shape{6, 999}}) {
    cases.push_back({.op = "gather",
                     .name = "bytes of " + to_string(table),
                     .inputs = {{table, CaseInput::Kind::bytes}, rows},
                     .build = [](std::span<const Value> v) { gather(v[0], v[1]); },
                     .check_gradients = false});
    cases.push_back({.op = "gather",
                     .name = "rows of " + to_string(table),
                     .inputs = {{table}, rows},
                     .build = [](std::span<const Value> v) { gather(v[0], v[1]); },
                     .exact_on_integers = true,
                     .check_gradients = false});
  }
}

}  // namespace forger
