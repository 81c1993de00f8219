// Tapes that kernels apply to their results in registers: which fit, and that they have the bits of the elementwise kernel.
#include <doctest/doctest.h>

#include <bit>

#include "engine/graph/initializer.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/epilogue.h"

using namespace forger;

namespace {

constexpr uint64_t kStream = stream_of("dropout");

const ElementwiseTape kActivationAndDropout{1, {{ScalarOp::leaky_relu, 0, 0, 0.2}, {ScalarOp::dropout, 1, 0, 0.25, kStream}}};
const ElementwiseTape kTheirGradient{
    2, {{ScalarOp::dropout, 0, 0, 0.25, kStream}, {ScalarOp::leaky_slope, 1, 0, 0.2}, {ScalarOp::mul, 2, 3}}};
const ElementwiseTape kTanhGradient{
    2, {{ScalarOp::square, 1}, {ScalarOp::neg, 2}, {ScalarOp::shift, 3, 0, 1.0}, {ScalarOp::mul, 0, 4}}};
const ElementwiseTape kAffine{4, {{ScalarOp::sub, 0, 1}, {ScalarOp::mul, 4, 2}, {ScalarOp::add, 5, 3}, {ScalarOp::tanh, 6}}};
const ElementwiseTape kSwish{1, {{ScalarOp::sigmoid, 0}, {ScalarOp::mul, 0, 1}}};
const ElementwiseTape kRare{3,
                            {{ScalarOp::maximum, 1, 0},
                             {ScalarOp::softplus, 3},
                             {ScalarOp::shift, 4, 0, 0.5},
                             {ScalarOp::div, 0, 5},
                             {ScalarOp::dropout, 6, 0, 0.5, kStream},
                             {ScalarOp::sub, 2, 7}}};

/// out[first of this thread ...] = the epilogue of x there; a thread has kQuads quads, `stride` elements apart.
template <int kQuads>
void epilogue_probe_f32_kernel(const float* x, emulated::Epilogue epilogue, int64_t stride, float* out) {
  emulated::begin_kernel();
  const int64_t thread = emulated::blockIdx.x * 32 + emulated::threadIdx.x;
  emulated::float4 v[kQuads];
  int64_t first[kQuads];
  float* const values = reinterpret_cast<float*>(v);
  for (int q = 0; q < kQuads; ++q) {
    first[q] = (thread * kQuads + q) * stride;
    if (first[q] >= epilogue.size) first[q] = 0;
    for (int64_t i = 0; i < 4; ++i) values[4 * q + i] = first[q] + i < epilogue.size ? x[first[q] + i] : 0.f;
  }
  epilogue.apply(v, first);
  for (int q = 0; q < kQuads; ++q) {
    for (int64_t i = 0; i < std::min<int64_t>(4, stride) && first[q] + i < epilogue.size; ++i) {
      out[first[q] + i] = values[4 * q + i];
    }
  }
}

struct alignas(16) Chunk {
  float v[4];
};
struct Array {
  explicit Array(int64_t n) : chunks(static_cast<size_t>(n + 3) / 4) {}
  float* data() { return chunks.data()->v; }
  std::vector<Chunk> chunks;
};

}  // namespace

TEST_CASE("epilogue: tapes that fit into two registers, and tapes that do not") {
  for (const auto& tape : {kActivationAndDropout, kTheirGradient, kTanhGradient, kAffine, kSwish, kRare}) {
    const auto program = epilogue_program(tape);
    REQUIRE(program);
    CHECK(program->steps[program->num_steps - 1].to == 0);
  }
  ElementwiseTape chain{1, {}};
  for (uint16_t i = 0; i < kEpilogueSteps; ++i) chain.instructions.push_back({ScalarOp::neg, i});
  CHECK(epilogue_program(chain));
  chain.instructions.push_back({ScalarOp::neg, kEpilogueSteps});
  CHECK_FALSE(epilogue_program(chain));
  CHECK_FALSE(epilogue_program({8, {{ScalarOp::add, 0, 7}}}));
  CHECK_FALSE(epilogue_program({1, {}}));
  // Two products are alive when the third is made.
  CHECK_FALSE(
      epilogue_program({3, {{ScalarOp::square, 1}, {ScalarOp::square, 2}, {ScalarOp::mul, 3, 0}, {ScalarOp::mul, 4, 5}}}));
}

TEST_CASE("epilogue: the same bits as the elementwise kernel's, at every alignment and period") {
  const uint64_t seed = 5;
  const int64_t step = 9;
  for (const auto& tape : {kActivationAndDropout, kTheirGradient, kTanhGradient, kAffine, kSwish, kRare}) {
    for (const int64_t n : {int64_t{1}, int64_t{48}, int64_t{210}, int64_t{8 * 105}}) {
      Array x(n), found(n), expected(n), operand(n);
      for (int64_t i = 0; i < n; ++i) {
        x.data()[i] = static_cast<float>(i * 37 % 101) / 50.f - 1.f;
        operand.data()[i] = static_cast<float>(i * 53 % 97) / 40.f - 1.2f;
      }
      for (const int64_t period :
           {n, int64_t{1}, n % 3 == 0 ? n / 3 : n, n % 2 == 0 ? n / 2 : n, n % 10 == 0 ? int64_t{10} : n}) {
        std::vector<ElementwiseInput<float>> inputs{{x.data(), n}};
        for (size_t i = 1; i < tape.num_inputs; ++i) inputs.push_back({operand.data(), i % 2 == 1 ? period : n});
        emulated::elementwise(tape, inputs, {&seed, &step}, expected.data(), n, nullptr);
        const emulated::EpilogueArgs args{&tape, std::span(inputs).subspan(1), {&seed, &step}};
        for (const int64_t stride : {4, 1, 3, 2}) {  // 3: the quads of a matrix with rows of three
          for (const bool four : {false, true}) {
            std::fill_n(found.data(), n, -77.f);
            const auto blocks = static_cast<unsigned>((n + 31) / 32);
            emulated::launch(four ? epilogue_probe_f32_kernel<4> : epilogue_probe_f32_kernel<1>,
                             {.grid_x = blocks, .threads = 32}, nullptr, x.data(), emulated::Epilogue(args, n), stride,
                             found.data());
            CAPTURE(n);
            CAPTURE(period);
            CAPTURE(stride);
            int64_t wrong = 0;
            for (int64_t i = 0; i < n; ++i) {
              wrong += std::bit_cast<uint32_t>(found.data()[i]) != std::bit_cast<uint32_t>(expected.data()[i]);
            }
            CHECK(wrong == 0);
          }
        }
      }
    }
  }
}
