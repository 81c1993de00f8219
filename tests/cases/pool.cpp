#include "engine/ops/ops.h"
#include "tests/cases/case.h"

namespace forger {

void add_pool_cases(std::vector<Case>& cases) {
  struct Size {
    Shape x;
    int64_t window;
    bool check_gradients;
  };
  // The classifier's two, one window, odd channels, several blocks. Integers have ties: the first of equals counts.
  for (const auto& [x, window, check_gradients] :
       {Size{{2, 28, 28, 16}, 2, false}, Size{{3, 14, 14, 32}, 2, false}, Size{{1, 2, 2, 1}, 2, true},
        Size{{2, 4, 6, 3}, 2, true}, Size{{1, 6, 3, 5}, 3, true}, Size{{2, 3, 5, 7}, 1, true}, Size{{70, 4, 4, 33}, 2, false}}) {
    Shape y = x;
    y[1] /= window, y[2] /= window;
    const std::string name = fmt::format("{} windows of {}", to_string(x), window);
    cases.push_back({.op = "max_pool_pick",
                     .name = name,
                     .inputs = {{x}, {x}},
                     .build = [window = window](std::span<const Value> v) { max_pool_pick(v[0], v[1], window); },
                     .exact_on_integers = true,
                     .check_gradients = check_gradients});
    cases.push_back({.op = "max_pool_scatter",
                     .name = name,
                     .inputs = {{x}, {y}},
                     .build = [window = window](std::span<const Value> v) { max_pool_scatter(v[0], v[1], window); },
                     .exact_on_integers = true,
                     .check_gradients = check_gradients});
  }
  cases.push_back({.op = "max_pool_pick",
                   .name = "of itself",
                   .inputs = {{{2, 4, 4, 3}}},
                   .build = [](std::span<const Value> v) { max_pool(v[0], 2); },
                   .exact_on_integers = true});
}

}  // namespace forger
