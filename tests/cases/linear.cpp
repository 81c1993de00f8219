#include "engine/ops/ops.h"
#include "tests/cases/case.h"

namespace forger {

void add_linear_cases(std::vector<Case>& cases) {
  struct Size {
    const char* name;
    int64_t m, n, k;
  };
  for (const Size z :
       {Size{"latent to 7x7", 32, 200, 100}, Size{"to one logit", 32, 1, 300}, Size{"odd", 3, 5, 7}, Size{"one", 1, 1, 1},
        Size{"outer product", 33, 20, 1}, Size{"odd tiles", 67, 66, 35}, Size{"large tiles", 260, 384, 24}}) {
    for (const bool ta : {false, true}) {
      for (const bool tb : {false, true}) {
        const Shape a = ta ? Shape{z.k, z.m} : Shape{z.m, z.k}, b = tb ? Shape{z.n, z.k} : Shape{z.k, z.n};
        cases.push_back({.op = "matmul",
                         .name = fmt::format("{}{}{}", z.name, ta ? " A^T" : "", tb ? " B^T" : ""),
                         .inputs = {{a}, {b}},
                         .build = [ta, tb](std::span<const Value> v) { matmul(v[0], v[1], ta, tb); },
                         .exact_on_integers = true,
                         .check_gradients = z.m * z.n < 50'000,
                         .atol = 2e-6});
      }
    }
  }
  for (const Size z : {Size{"bias", 9, 12, 20}, Size{"bias, odd", 5, 70, 33}, Size{"bias, long sum", 4, 8, 1000},
                       Size{"bias, one column", 6, 1, 70}, Size{"bias, outer product", 6, 70, 1}}) {
    cases.push_back({.op = "matmul",
                     .name = z.name,
                     .inputs = {{{z.m, z.k}}, {{z.k, z.n}}, {{z.n}}},
                     .build =
                         [](std::span<const Value> v) {  // as fuse_bias makes it
                           Graph& graph = v[0].graph();
                           const Value c = matmul(v[0], v[1]);
                           const Node& node = graph.producer(c.id());
                           graph.add(*node.op, v, node.attributes);
                         },
                     .exact_on_integers = true,
                     .check_gradients = false,
                     .atol = 2e-6});
  }
  for (const Shape& shape : {Shape{2, 5, 5, 7}, Shape{33, 65}, Shape{1, 1}}) {
    cases.push_back({.op = "bias_add",
                     .name = to_string(shape),
                     .inputs = {{shape}, {{shape.back()}}},
                     .build = [](std::span<const Value> v) { bias_add(v[0], v[1]); },
                     .exact_on_integers = true});
  }
}

}  // namespace forger
