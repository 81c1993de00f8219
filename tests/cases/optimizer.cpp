#include "engine/ops/ops.h"
#include "tests/cases/case.h"

namespace forger {

namespace {

void add_optimizers(std::vector<Case>& cases, const std::string& name, const std::vector<Shape>& tensors) {
  const CaseInput t{{}, CaseInput::Kind::step}, lr{{}, CaseInput::Kind::real, 0.01, 0.02};
  std::vector<CaseInput> adam_inputs{t, lr}, slot_inputs{lr};
  for (const Shape& s : tensors) {
    const CaseInput value{s}, positive{s, CaseInput::Kind::real, 0.01, 1};
    adam_inputs.insert(adam_inputs.end(), {value, value, value, positive});  // parameter, gradient, m, v
    slot_inputs.insert(slot_inputs.end(), {value, value, positive});
  }
  // Regroups [scalars, p0, g0, s0, ...] by role.
  const auto by_role = [](std::span<const Value> v, size_t first, size_t group, size_t role) {
    std::vector<Value> values;
    for (size_t i = first + role; i < v.size(); i += group) values.push_back(v[i]);
    return values;
  };
  cases.push_back({.op = "adam",
                   .name = name,
                   .inputs = adam_inputs,
                   .build =
                       [by_role](std::span<const Value> v) {
                         adam(v[0], v[1], by_role(v, 2, 4, 0), by_role(v, 2, 4, 1), by_role(v, 2, 4, 2), by_role(v, 2, 4, 3), 0.5,
                              0.999, 1e-7);
                       },
                   .check_gradients = false});
  cases.push_back({.op = "sgd_momentum",
                   .name = name,
                   .inputs = slot_inputs,
                   .build =
                       [by_role](std::span<const Value> v) {
                         sgd_momentum(v[0], by_role(v, 1, 3, 0), by_role(v, 1, 3, 1), by_role(v, 1, 3, 2), 0.9);
                       },
                   .check_gradients = false});
  cases.push_back({.op = "rmsprop",
                   .name = name,
                   .inputs = slot_inputs,
                   .build =
                       [by_role](std::span<const Value> v) {
                         rmsprop(v[0], by_role(v, 1, 3, 0), by_role(v, 1, 3, 1), by_role(v, 1, 3, 2), 0.9, 1e-7);
                       },
                   .check_gradients = false});
}

}  // namespace

void add_optimizer_cases(std::vector<Case>& cases) {
  add_optimizers(cases, "four tensors", {{3, 4, 4, 5}, {7}, {1}, {150, 137}});
  std::vector<Shape> many;  // more than a kernel's parameters can name
  for (int64_t i = 0; i < 100; ++i) many.push_back({i % 7 + 1});
  many[50] = {2051};
  add_optimizers(cases, "a hundred tensors", many);
}

}  // namespace forger
