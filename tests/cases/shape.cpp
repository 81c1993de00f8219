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
  add("stop_gradient", "[2,6]", {{{2, 6}}}, [](auto v) { stop_gradient(v[0]); });
  cases.back().check_gradients = false;  // it has none
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
  // Larger ones: the sums and copies of several blocks, and widths at which vectors end.
  const auto add_large = [&](const char* op, std::string name, std::vector<CaseInput> inputs,
                             std::function<void(std::span<const Value>)> build) {
    add(op, std::move(name), std::move(inputs), std::move(build));
    cases.back().check_gradients = false;
  };
  for (const int64_t c : {1, 3, 5, 64, 130}) {
    add_large("reduce_sum", fmt::format("[700,{}] to channels", c), {{{700, c}}}, [](auto v) { reduce_sum(v[0], {0}); });
  }
  add_large("reduce_sum", "[6001,8] to channels", {{{6001, 8}}}, [](auto v) { reduce_sum(v[0], {0}); });
  add_large("reduce_sum", "[40013] to one", {{{40013}}}, [](auto v) { reduce_sum(v[0], {0}); });
  cases.back().atol = 1e-5;  // the sum is a ten-thousandth of what is added
  add_large("reduce_sum", "[2,3,5000] last", {{{2, 3, 5000}}}, [](auto v) { reduce_sum(v[0], {2}); });
  add_large("reduce_sum", "[3,4097] last", {{{3, 4097}}}, [](auto v) { reduce_sum(v[0], {1}); });
  add_large("reduce_sum", "[130,67] last", {{{130, 67}}}, [](auto v) { reduce_sum(v[0], {1}); });
  add_large("reduce_sum", "[5,300,12] middle", {{{5, 300, 12}}}, [](auto v) { reduce_sum(v[0], {1}); });
  add_large("reduce_sum", "[2,2000,37] middle", {{{2, 2000, 37}}}, [](auto v) { reduce_sum(v[0], {1}); });
  add_large("reduce_sum", "[30,5,40] first and last", {{{30, 5, 40}}}, [](auto v) { reduce_sum(v[0], {0, 2}); });
  add_large("reduce_sum", "[3,4,5,6] every other", {{{3, 4, 5, 6}}}, [](auto v) { reduce_sum(v[0], {1, 3}); });
  add_large("reduce_sum", "extents of one", {{{1, 6, 1, 5}}}, [](auto v) { reduce_sum(v[0], {0, 2}); });
  add_large("broadcast_to", "six axes", {{{2, 1, 3, 1, 2, 1}}}, [](auto v) { broadcast_to(v[0], {2, 3, 3, 2, 2, 5}); });
  add_large("broadcast_to", "[700,1] to [700,9]", {{{700, 1}}}, [](auto v) { broadcast_to(v[0], {700, 9}); });
  add_large("broadcast_to", "[1,64] to [99,64]", {{{1, 64}}}, [](auto v) { broadcast_to(v[0], {99, 64}); });
  add_large("concat", "long batches", {{{1001, 3}}, {{2, 3}}, {{700, 3}}}, [](auto v) { concat({v[0], v[1], v[2]}, 0); });
  add_large("concat", "wide channels", {{{50, 8}}, {{50, 12}}}, [](auto v) { concat({v[0], v[1]}, 1); });
  add_large("concat", "sixty parts", std::vector<CaseInput>(60, {{3, 2}}),
            [](auto v) { concat(std::vector<Value>(v.begin(), v.end()), 1); });
  add_large("slice", "wide", {{{9, 20, 64}}}, [](auto v) { slice(v[0], {2, 0, 16}, {7, 20, 32}); });
  add_large("slice", "rows", {{{300, 33}}}, [](auto v) { slice(v[0], {7, 0}, {200, 33}); });
  add_large("slice", "five axes", {{{3, 4, 5, 6, 7}}}, [](auto v) { slice(v[0], {1, 1, 1, 1, 1}, {2, 3, 4, 5, 6}); });
  add_large("pad", "images", {{{3, 14, 14, 8}}}, [](auto v) { pad(v[0], {0, 1, 2, 0}, {3, 17, 16, 8}); });
  add_large("pad", "batch", {{{5, 130}}}, [](auto v) { pad(v[0], {3, 0}, {9, 130}); });
  add_large("pad", "wide channels", {{{40, 12}}}, [](auto v) { pad(v[0], {0, 4}, {40, 24}); });
  add_large("window_add", "border of images", {{{3, 14, 14, 8}}, {{3, 1, 14, 8}}}, [](auto v) {
    window_add(v[0], v[1], {0, 13, 0, 0}, -1);
  });
  add_large("window_add", "odd channels", {{{2, 9, 7, 3}}, {{2, 9, 2, 3}}}, [](auto v) { window_add(v[0], v[1], {0, 0, 5, 0}); });
  add_large("window_add", "two channels", {{{40, 6}}, {{40, 2}}}, [](auto v) { window_add(v[0], v[1], {0, 4}, 2); });
  add_large("window_add", "several blocks", {{{40, 30, 12}}, {{38, 25, 8}}}, [](auto v) { window_add(v[0], v[1], {1, 2, 4}); });
  add("window_add", "inside", {{{4, 7}}, {{2, 3}}}, [](auto v) { window_add(v[0], v[1], {1, 2}, 0.5); });
  add("slice", "inside", {{{5, 6, 7}}}, [](auto v) { slice(v[0], {1, 0, 3}, {2, 6, 4}); });
  add("pad", "around", {{{2, 3}}}, [](auto v) { pad(v[0], {1, 2}, {4, 7}); });
}

}  // namespace forger
