#include "engine/ops/ops.h"
#include "tests/cases/case.h"

namespace forger {

void add_random_cases(std::vector<Case>& cases) {
  const CaseInput seed{{}, CaseInput::Kind::seed}, step{{}, CaseInput::Kind::step};
  for (const Shape& shape : {Shape{32, 100}, Shape{1}, Shape{7, 9, 11}, Shape{40013}}) {
    cases.push_back({.op = "random_uniform",
                     .name = to_string(shape),
                     .inputs = {seed, step},
                     .build = [shape](std::span<const Value> v) { random_uniform(v[0], v[1], -1, 1, shape); },
                     .check_gradients = false});
    cases.push_back({.op = "random_normal",
                     .name = to_string(shape),
                     .inputs = {seed, step},
                     .build = [shape](std::span<const Value> v) { random_normal(v[0], v[1], 1, 0.5, shape); },
                     .check_gradients = false});
    cases.push_back({.op = "dropout",
                     .name = to_string(shape),
                     .inputs = {{shape}, seed, step},
                     .build = [shape](std::span<const Value> v) { dropout(v[0], v[1], v[2], 0.2); },
                     .check_gradients = shape.size() > 1});
  }
  for (const bool replacement : {true, false}) {
    for (const int64_t population : {1, 5, 1000, 60000}) {
      for (const int64_t count : {37, 300}) {
        const IndexDraw draw{
            .count = count, .population = population, .replacement = replacement, .draw = 1, .draws_per_step = 3};
        cases.push_back({.op = "random_indices",
                         .name = fmt::format("{} of {}{}", count, population, replacement ? "" : " in epochs"),
                         .inputs = {seed, step},
                         .build = [draw](std::span<const Value> v) { random_indices(v[0], v[1], draw); },
                         .check_gradients = false});
      }
    }
  }
}

}  // namespace forger
