// The CUDA provider's matrix products under emulation, with plans that the engine would not make for sizes this small:
// every tile, every split, every order of the threads. On small integers all arithmetics are exact.
#define FORGER_DEVICE emulated
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

#include "kernels/cuda/conv2d.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/matmul.h"
#include "kernels/emulation/grid.h"
#include "kernels/reference/conv2d.h"
#include "kernels/reference/linear.h"

using namespace forger;

namespace {

using emulated::Arithmetic;
using emulated::GemmPlan;
using emulated::TileKind;
using emulation::ThreadOrder;
using Floats = std::vector<float>;

constexpr Arithmetic kAll[] = {Arithmetic::ffma, Arithmetic::tf32, Arithmetic::tf32x3, Arithmetic::bf16};

Floats integers(int64_t size, unsigned seed) {
  Floats values(static_cast<size_t>(size));
  for (float& v : values) {
    seed = seed * 1664525u + 1013904223u;
    v = static_cast<float>(static_cast<int>(seed >> 16) % 7 - 3);
  }
  return values;
}

/// Runs f(arithmetic, plan, scratch, stream) with all plans; it returns the result, which must be `expected`.
template <class F>
void check_all_plans(const emulated::GemmSize& size, bool vectors, const Floats& expected, F f) {
  for (const Arithmetic arithmetic : kAll) {
    for (const TileKind tile : {TileKind::small, size.between, TileKind::large}) {
      if (tile != TileKind::small && !vectors) continue;
      // One launch for all, sums in a second one, by the last block, and by the last blocks of two groups and then of both.
      // Of 51 tiles of k a pipeline goes round often, of one or two it is never full.
      for (const auto& cut : {std::tuple{1, 0, 4}, {1, 0, 8}, {3, 0, 3}, {3, 3, 6}, {3, 2, 4}}) {
        const int splits = std::get<0>(cut), group = std::get<1>(cut), stages = std::get<2>(cut);
        const GemmPlan plan{.tile = tile, .vectors = vectors, .splits = splits, .group = group, .stages = stages};
        Floats workspace(workspace_bytes(plan, size) / sizeof(float), NAN);
        std::vector<uint32_t> counters(counters_of(plan, size, arithmetic), 0);
        CAPTURE(static_cast<int>(arithmetic));
        CAPTURE(static_cast<int>(tile));
        CAPTURE(splits);
        CAPTURE(group);
        CAPTURE(stages);
        CHECK(f(arithmetic, plan, {workspace.data(), counters.data()}, nullptr) == expected);
        CHECK(std::all_of(counters.begin(), counters.end(), [](uint32_t c) { return c == 0; }));
      }
    }
  }
}

/// Runs f(arithmetic, plan, scratch, stream) with pipelines of every depth: all must return the same bits.
template <class F>
void check_depths(const emulated::GemmSize& size, F f) {
  for (const Arithmetic arithmetic : {Arithmetic::ffma, Arithmetic::bf16}) {
    for (const TileKind tile : {TileKind::small, size.between, TileKind::large}) {
      const auto run = [&](int stages) {
        const GemmPlan plan{.tile = tile, .vectors = true, .splits = 2, .group = 2, .stages = stages};
        Floats workspace(workspace_bytes(plan, size) / sizeof(float), NAN);
        std::vector<uint32_t> counters(counters_of(plan, size, arithmetic), 0);
        return f(arithmetic, plan, emulated::GemmScratch{workspace.data(), counters.data()}, nullptr);
      };
      const Floats expected = run(4);
      for (const int stages : {3, 6, 8}) {
        CAPTURE(static_cast<int>(arithmetic));
        CAPTURE(static_cast<int>(tile));
        CAPTURE(stages);
        CHECK(run(stages) == expected);
      }
    }
  }
}

Floats reals(int64_t size, unsigned seed) {
  Floats values = integers(size, seed);
  for (size_t i = 0; i < values.size(); ++i) values[i] *= 0.1f + 0.01f * static_cast<float>(i % 13);
  return values;
}

// Several tiles in both directions, none of them full.
constexpr Conv2dShape kStride1{.N = 2, .H = 9, .W = 10, .C = 12, .K = 132, .R = 3, .S = 2, .P = 9, .Q = 10, .pad_top = 1};
constexpr Conv2dShape kStride2{.N = 3,
                               .H = 9,
                               .W = 8,
                               .C = 68,
                               .K = 20,
                               .R = 3,
                               .S = 4,
                               .P = 5,
                               .Q = 4,
                               .stride_h = 2,
                               .stride_w = 2,
                               .pad_top = 1,
                               .pad_left = 1};
constexpr Conv2dShape kOdd{.N = 2, .H = 6, .W = 7, .C = 3, .K = 5, .R = 3, .S = 2, .P = 2, .Q = 7, .stride_h = 3, .pad_left = 1};
constexpr Conv2dShape kConvolutions[] = {kStride1, kStride2, kOdd};

void check_conv2d(const Conv2dShape& s, Stream stream_of_orders) {
  const Floats x = integers(s.input_size(), 1), w = integers(s.filter_size(), 2), bias = integers(s.K, 3);
  Floats expected(static_cast<size_t>(s.output_size()));
  reference::conv2d(s, x.data(), w.data(), bias.data(), expected.data());
  check_all_plans(emulated::conv2d_size(s), emulated::conv2d_vectors(s), expected,
                  [&](Arithmetic arithmetic, const GemmPlan& plan, const emulated::GemmScratch& scratch, Stream) {
                    Floats y(expected.size(), NAN);
                    emulated::conv2d(s, arithmetic, plan, x.data(), w.data(), bias.data(), y.data(), scratch, stream_of_orders);
                    return y;
                  });
}

}  // namespace

TEST_CASE("gemm kernels: the same bits with pipelines of every depth") {
  const Conv2dShape& s = kStride2;
  const Floats x = reals(s.input_size(), 21), w = reals(s.filter_size(), 22), dy = reals(s.output_size(), 23);
  check_depths(emulated::conv2d_size(s), [&](Arithmetic a, const GemmPlan& plan, const auto& scratch, Stream stream) {
    Floats y(dy.size(), NAN);
    emulated::conv2d(s, a, plan, x.data(), w.data(), nullptr, y.data(), scratch, stream);
    return y;
  });
  check_depths(emulated::conv2d_input_grad_size(s), [&](Arithmetic a, const GemmPlan& plan, const auto& scratch, Stream stream) {
    Floats dx(x.size(), NAN);
    emulated::conv2d_input_grad(s, a, plan, dy.data(), w.data(), nullptr, dx.data(), scratch, stream);
    return dx;
  });
  check_depths(emulated::conv2d_filter_grad_size(s), [&](Arithmetic a, const GemmPlan& plan, const auto& scratch, Stream stream) {
    Floats dw(w.size(), NAN);
    emulated::conv2d_filter_grad(s, a, plan, x.data(), dy.data(), dw.data(), scratch, stream);
    return dw;
  });
  const emulated::MatmulShape z{36, 68, 300, false, false};
  const Floats a = reals(z.m * z.k, 24), b = reals(z.k * z.n, 25);
  check_depths(emulated::matmul_size(z), [&](Arithmetic arithmetic, const GemmPlan& plan, const auto& scratch, Stream stream) {
    Floats c(static_cast<size_t>(z.m * z.n), NAN);
    emulated::matmul(z, arithmetic, plan, a.data(), b.data(), nullptr, c.data(), scratch, stream);
    return c;
  });
}

TEST_CASE("gemm kernels: conv2d with every plan") {
  for (const Conv2dShape& s : kConvolutions) check_conv2d(s, nullptr);
}

TEST_CASE("gemm kernels: conv2d_input_grad with every plan") {
  for (const Conv2dShape& s : kConvolutions) {
    const Floats dy = integers(s.output_size(), 4), w = integers(s.filter_size(), 5), bias = integers(s.C, 6);
    Floats expected(static_cast<size_t>(s.input_size()));
    reference::conv2d_input_grad(s, dy.data(), w.data(), bias.data(), expected.data());
    check_all_plans(emulated::conv2d_input_grad_size(s), emulated::conv2d_input_grad_vectors(s), expected,
                    [&](Arithmetic arithmetic, const GemmPlan& plan, const emulated::GemmScratch& scratch, Stream stream) {
                      Floats dx(expected.size(), NAN);
                      emulated::conv2d_input_grad(s, arithmetic, plan, dy.data(), w.data(), bias.data(), dx.data(), scratch,
                                                  stream);
                      return dx;
                    });
  }
}

TEST_CASE("gemm kernels: conv2d_filter_grad with every plan") {
  for (const Conv2dShape& s : kConvolutions) {
    const Floats x = integers(s.input_size(), 7), dy = integers(s.output_size(), 8);
    Floats expected(static_cast<size_t>(s.filter_size()));
    reference::conv2d_filter_grad(s, x.data(), dy.data(), expected.data());
    check_all_plans(emulated::conv2d_filter_grad_size(s), emulated::conv2d_filter_grad_vectors(s), expected,
                    [&](Arithmetic arithmetic, const GemmPlan& plan, const emulated::GemmScratch& scratch, Stream stream) {
                      Floats dw(expected.size(), NAN);
                      emulated::conv2d_filter_grad(s, arithmetic, plan, x.data(), dy.data(), dw.data(), scratch, stream);
                      return dw;
                    });
  }
}

TEST_CASE("gemm kernels: matmul with every plan and transpose") {
  for (const bool vectors : {false, true}) {
    for (const bool ta : {false, true}) {
      for (const bool tb : {false, true}) {
        const emulated::MatmulShape s{vectors ? 140 : 37, vectors ? 132 : 70, vectors ? 100 : 51, ta, tb};
        const Floats a = integers(s.m * s.k, 9), b = integers(s.k * s.n, 10), bias = integers(s.n, 11);
        Floats expected(static_cast<size_t>(s.m * s.n));
        reference::matmul(s.m, s.n, s.k, ta, tb, a.data(), b.data(), bias.data(), expected.data());
        CHECK(emulated::matmul_vectors(s) == vectors);
        check_all_plans(emulated::matmul_size(s), vectors, expected,
                        [&](Arithmetic arithmetic, const GemmPlan& plan, const emulated::GemmScratch& scratch, Stream stream) {
                          Floats c(expected.size(), NAN);
                          emulated::matmul(s, arithmetic, plan, a.data(), b.data(), bias.data(), c.data(), scratch, stream);
                          return c;
                        });
      }
    }
  }
}

TEST_CASE("gemm kernels: an epilogue with every plan has the bits of the elementwise kernel") {
  const uint64_t seed = 3;
  const int64_t step = 4;
  // tape(result, full operand, one number per column, one number)
  const ElementwiseTape tape{4,
                             {{ScalarOp::add, 0, 2},
                              {ScalarOp::leaky_relu, 4, 0, 0.2},
                              {ScalarOp::dropout, 5, 0, 0.25, 99},
                              {ScalarOp::leaky_slope, 1, 0, 0.3},
                              {ScalarOp::mul, 6, 7},
                              {ScalarOp::tanh, 8},
                              {ScalarOp::mul, 9, 3}}};
  const float number = 0.75f;
  for (const Conv2dShape& s : kConvolutions) {
    for (const bool backward : {false, true}) {
      const auto outputs = backward ? s.input_size() : s.output_size();
      const auto columns = backward ? s.C : s.K;
      const Floats in = integers(backward ? s.output_size() : s.input_size(), 12), w = integers(s.filter_size(), 13);
      const Floats bias = integers(columns, 14), full = integers(outputs, 15), row = integers(columns, 16);
      Floats product(static_cast<size_t>(outputs)), expected(product.size());
      (backward ? reference::conv2d_input_grad<float> : reference::conv2d<float>)(s, in.data(), w.data(), bias.data(),
                                                                                  product.data());
      const ElementwiseInput<float> inputs[] = {
          {product.data(), outputs}, {full.data(), outputs}, {row.data(), columns}, {&number, 1}};
      emulated::elementwise(tape, inputs, {&seed, &step}, expected.data(), outputs, nullptr);
      const emulated::EpilogueArgs epilogue{&tape, std::span(inputs).subspan(1), {&seed, &step}};
      const auto size = backward ? emulated::conv2d_input_grad_size(s) : emulated::conv2d_size(s);
      const auto vectors = backward ? emulated::conv2d_input_grad_vectors(s) : emulated::conv2d_vectors(s);
      check_all_plans(size, vectors, expected,
                      [&](Arithmetic arithmetic, const GemmPlan& plan, const emulated::GemmScratch& scratch, Stream stream) {
                        Floats out(expected.size(), NAN);
                        if (backward) {
                          emulated::conv2d_input_grad(s, arithmetic, plan, in.data(), w.data(), bias.data(), out.data(), scratch,
                                                      stream, epilogue);
                        } else {
                          emulated::conv2d(s, arithmetic, plan, in.data(), w.data(), bias.data(), out.data(), scratch, stream,
                                           epilogue);
                        }
                        return out;
                      });
    }
  }
}

TEST_CASE("gemm kernels: the order of threads and of copies does not matter") {
  for (const ThreadOrder order : {ThreadOrder::forward, ThreadOrder::backward, ThreadOrder::shuffled}) {
    for (const bool early : {false, true}) {
      emulation::Options options{.order = order, .seed = 5, .copy_early = early};
      check_conv2d(kStride2, reinterpret_cast<Stream>(&options));
    }
  }
}
