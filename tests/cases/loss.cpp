#include "engine/ops/ops.h"
#include "tests/cases/case.h"

namespace forger {

void add_loss_cases(std::vector<Case>& cases) {
  for (const Shape& shape : {Shape{32, 1}, Shape{1, 1}, Shape{5, 7}}) {
    cases.push_back({.op = "bce_with_logits",
                     .name = to_string(shape),
                     .inputs = {{shape, CaseInput::Kind::real, -9, 9}, {shape, CaseInput::Kind::real, -0.1, 1.1}},
                     .build = [](std::span<const Value> v) { bce_with_logits(v[0], v[1]); }});
    cases.push_back({.op = "softmax",
                     .name = to_string(shape),
                     .inputs = {{shape, CaseInput::Kind::real, -4, 4}},
                     .build = [](std::span<const Value> v) { softmax(v[0]); }});
  }
  cases.push_back({.op = "bce_with_logits",
                   .name = "saturated",
                   .inputs = {{{64, 1}, CaseInput::Kind::real, -90, 90}, {{64, 1}, CaseInput::Kind::real, 0, 1}},
                   .build = [](std::span<const Value> v) { bce_with_logits(v[0], v[1]); },
                   .check_gradients = false});
  for (const int64_t n : {1, 17}) {
    cases.push_back({.op = "softmax_cross_entropy",
                     .name = fmt::format("[{},10]", n),
                     .inputs = {{{n, 10}, CaseInput::Kind::real, -4, 4}, {{n}, CaseInput::Kind::labels, 0, 10}},
                     .build = [](std::span<const Value> v) { softmax_cross_entropy(v[0], v[1]); }});
  }
  // Several blocks, rows longer than a warp.
  cases.push_back({.op = "bce_with_logits",
                   .name = "[5003]",
                   .inputs = {{{5003}, CaseInput::Kind::real, -9, 9}, {{5003}, CaseInput::Kind::real, 0, 1}},
                   .build = [](std::span<const Value> v) { bce_with_logits(v[0], v[1]); },
                   .check_gradients = false});
  for (const Shape& shape : {Shape{70, 130}, Shape{3, 1000}, Shape{100, 10}, Shape{9, 1}}) {
    cases.push_back({.op = "softmax",
                     .name = to_string(shape),
                     .inputs = {{shape, CaseInput::Kind::real, -40, 40}},
                     .build = [](std::span<const Value> v) { softmax(v[0]); },
                     .check_gradients = false});
    const CaseInput labels{{shape[0]}, CaseInput::Kind::labels, 0, static_cast<double>(shape[1])};
    cases.push_back({.op = "softmax_cross_entropy",
                     .name = to_string(shape),
                     .inputs = {{shape, CaseInput::Kind::real, -40, 40}, labels},
                     .build = [](std::span<const Value> v) { softmax_cross_entropy(v[0], v[1]); },
                     .check_gradients = false});
  }
}

}  // namespace forger
