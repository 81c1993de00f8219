#include "engine/ops/ops.h"
#include "tests/cases/case.h"

namespace forger {

void add_optimizer_cases(std::vector<Case>& cases) {
  const std::vector<Shape> tensors{{3, 4, 4, 5}, {7}, {1}, {150, 137}};
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
                   .name = "four tensors",
                   .inputs = adam_inputs,
                   .build =
                       [by_role](std::span<const Value> v) {
                         adam(v[0], v[1], by_role(v, 2, 4, 0), by_role(v, 2, 4, 1), by_role(v, 2, 4, 2), by_role(v, 2, 4, 3), 0.5,
                              0.999, 1e-7);
                       },
                   .check_gradients = false});
  cases.push_back({.op = "sgd_momentum",
                   .name = "four tensors",
                   .inputs = slot_inputs,
                   .build =
                       [by_role](std::span<const Value> v) {
                         sgd_momentum(v[0], by_role(v, 1, 3, 0), by_role(v, 1, 3, 1), by_role(v, 1, 3, 2), 0.9);
                       },
                   .check_gradients = false});
  cases.push_back({.op = "rmsprop",
                   .name = "four tensors",
                   .inputs = slot_inputs,
                   .build =
                       [by_role](std::span<const Value> v) {
                         rmsprop(v[0], by_role(v, 1, 3, 0), by_role(v, 1, 3, 1), by_role(v, 1, 3, 2), 0.9, 1e-7);
                       },
                   .check_gradients = false});
}

}  // namespace forger
