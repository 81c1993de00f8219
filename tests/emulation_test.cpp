// The emulator finds what it is there to find: planted bugs, each in a kernel that would compile and often pass on a GPU.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <set>
#include <utility>

#include "engine/ops/op_spec.h"
#include "kernels/cuda/grid_flag.h"
#include "kernels/cuda/last_block.h"
#include "tests/cases/case.h"

using namespace forger;
using namespace forger::emulated;
using emulation::Options;
using emulation::ThreadOrder;

namespace {

const Options kOptions[] = {{ThreadOrder::forward, 0, false},
                            {ThreadOrder::backward, 0, true},
                            {ThreadOrder::shuffled, 1, false},
                            {ThreadOrder::shuffled, 2, true}};

Stream stream_of_options(const Options& options) {
  return reinterpret_cast<Stream>(const_cast<Options*>(&options));
}

Place in_order(const Options& options) {
  return {.stream = stream_of_options(options)};
}

constexpr unsigned kThreads = 64;
struct SumShared {
  float values[kThreads];
};

/// sum[block] = sum of the block's kThreads numbers, by a tree in shared memory.
template <bool kForgetBarrier>
void block_sum_f32_kernel(const float* x, float* sum) {
  begin_kernel();
  auto& shared = block_shared<SumShared>();
  const unsigned i = threadIdx.x;
  shared.values[i] = x[blockIdx.x * kThreads + i];
  __syncthreads();
  for (unsigned step = kThreads / 2; step > 0; step /= 2) {
    if (i < step) shared.values[i] += shared.values[i + step];
    if (!kForgetBarrier || step != 16) __syncthreads();
  }
  if (i == 0) sum[blockIdx.x] = shared.values[0];
}

std::vector<float> block_sums(void (*kernel)(const float*, float*), const Options& options) {
  std::vector<float> x(2 * kThreads), sums(2, -1.f);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  launch(kernel, {.grid_x = 2, .threads = kThreads, .shared_bytes = sizeof(SumShared)}, stream_of_options(options), x.data(),
         sums.data());
  return sums;
}

}  // namespace

TEST_CASE("emulation: a correct kernel gives one result in every thread order") {
  for (const Options& options : kOptions)
    CHECK(block_sums(block_sum_f32_kernel<false>, options) == std::vector<float>{2016, 6112});
}

TEST_CASE("emulation: a missing barrier changes the result in some thread order") {  // and is a race to ThreadSanitizer
  int wrong = 0;
  for (const Options& options : kOptions)
    wrong += block_sums(block_sum_f32_kernel<true>, options) != std::vector<float>{2016, 6112};
  CHECK(wrong > 0);
}

namespace {

struct CopyShared {
  float4 values[kThreads];
};
/// y[i] = x[i] through shared memory; thread i reads what its neighbour copied.
template <bool kForgetWait, bool kForgetBarrier>
void async_copy_f32_kernel(const float4* x, float4* y, unsigned n) {
  begin_kernel();
  auto& shared = block_shared<CopyShared>();
  const unsigned i = threadIdx.x, other = (i + 1) % kThreads;
  ptx::cp_async<16>(&shared.values[i], i < n ? x + i : x, i < n);
  ptx::cp_async_commit();
  if (!kForgetWait) ptx::cp_async_wait<0>();
  if (!kForgetBarrier) __syncthreads();
  y[other] = shared.values[other];
}

std::vector<float> copied(void (*kernel)(const float4*, float4*, unsigned), const Options& options) {
  alignas(16) float x[4 * kThreads], y[4 * kThreads];
  for (unsigned i = 0; i < 4 * kThreads; ++i) x[i] = static_cast<float>(i + 1);
  launch(kernel, {.threads = kThreads, .shared_bytes = sizeof(CopyShared)}, stream_of_options(options),
         reinterpret_cast<float4*>(x), reinterpret_cast<float4*>(y), 63u);
  return {y, y + 4 * kThreads};
}

}  // namespace

namespace {

/// sum[lane] = sum of the warp's numbers, after which lanes return at once: the first to go on must leave what it gave to
/// the last exchange. Lanes of the upper half return before one more exchange, in which they give nothing.
void warp_sum_f32_kernel(const float* x, float* sum, unsigned* from_gone) {
  begin_kernel();
  float v = x[threadIdx.x];
  for (int mask = 16; mask > 0; mask /= 2) v += __shfl_xor_sync(0xFFFFFFFFu, v, mask);
  sum[threadIdx.x] = v;
  if (threadIdx.x >= 16) return;
  from_gone[threadIdx.x] = __shfl_xor_sync(0xFFFFFFFFu, threadIdx.x, 16);
}

}  // namespace

TEST_CASE("emulation: lanes that return leave their part of the last exchange, and nothing to the next") {
  std::vector<float> x(32), sums(32);
  std::vector<unsigned> from_gone(16);
  for (size_t i = 0; i < 32; ++i) x[i] = static_cast<float>(i);
  for (const Options& options : kOptions) {
    launch(warp_sum_f32_kernel, {.threads = 32}, stream_of_options(options), x.data(), sums.data(), from_gone.data());
    CHECK(sums == std::vector<float>(32, 496.f));
    CHECK(from_gone == std::vector<unsigned>(16, 0xFFFFFFFFu));
  }
}

TEST_CASE("emulation: cp.async copies, and zeros what is not valid") {
  std::vector<float> expected(4 * kThreads);
  for (unsigned i = 0; i < 4 * 63; ++i) expected[i] = static_cast<float>(i + 1);
  for (const Options& options : kOptions) CHECK(copied(async_copy_f32_kernel<false, false>, options) == expected);
}

TEST_CASE("emulation: cp.async without its wait or its barrier changes the result in some thread order") {  // races, too
  std::vector<float> expected(4 * kThreads);
  for (unsigned i = 0; i < 4 * 63; ++i) expected[i] = static_cast<float>(i + 1);
  int without_wait = 0, without_barrier = 0;
  for (const Options& options : kOptions) {
    without_wait += copied(async_copy_f32_kernel<true, false>, options) != expected;
    without_barrier += copied(async_copy_f32_kernel<false, true>, options) != expected;
  }
  CHECK(without_wait > 0);
  CHECK(without_barrier > 0);
}

namespace {

/// sum = sum over blocks of x, in the blocks' order, by the last block; or (planted) in the order of their arrival.
template <bool kInOrder>
void last_block_sum_f32_kernel(const float* x, float* partials, float* sum, uint32_t* counters) {
  begin_kernel();
  const unsigned ticket = threadIdx.x == 0 ? atomicAdd(counters + 1, 1u) : 0;
  if (threadIdx.x == 0) partials[kInOrder ? blockIdx.x : ticket] = x[blockIdx.x];
  if (!last_block(counters, gridDim.x)) return;
  float total = 0;
  for (unsigned i = 0; i < gridDim.x; ++i) total += __ldcg(partials + i);
  sum[threadIdx.x] = total;
}

std::set<float> last_block_sums(void (*kernel)(const float*, float*, float*, uint32_t*)) {
  constexpr unsigned kBlocks = 37;
  std::set<float> sums;
  uint32_t counters[2] = {};
  for (const Options& options : kOptions) {
    std::vector<float> x(kBlocks), partials(kBlocks, NAN), sum(kThreads, NAN);
    for (size_t i = 0; i < x.size(); ++i) x[i] = 1.f / static_cast<float>(i * i + 1);
    launch(kernel, {.grid_x = kBlocks, .threads = kThreads}, stream_of_options(options), x.data(), partials.data(), sum.data(),
           counters);
    sums.insert(sum.begin(), sum.end());
    CHECK(counters[0] == 0);  // each launch finds it so
    CHECK(std::exchange(counters[1], 0) == kBlocks);
  }
  return sums;
}

}  // namespace

TEST_CASE("emulation: the last block adds up in one order, whichever order the blocks run in") {
  CHECK(last_block_sums(last_block_sum_f32_kernel<true>).size() == 1);
}

TEST_CASE("emulation: a sum in the order of arrival depends on the order of the blocks") {
  CHECK(last_block_sums(last_block_sum_f32_kernel<false>).size() > 1);
}

namespace {

/// share[block] = x[block] / sum of x: every block waits for the sum, which the last one to come makes.
void shares_f32_kernel(const float* x, float* sum, uint32_t* counter, uint32_t* flag, float* share) {
  begin_kernel();
  const uint32_t before = flag_before(flag);
  if (last_block(counter, gridDim.x)) {
    float total = 0;
    for (unsigned i = 0; i < gridDim.x; ++i) total += x[i];
    if (threadIdx.x == 0) *sum = total;
    raise_flag(flag);
  } else {
    await_flag(flag, before);
  }
  if (threadIdx.x == 0) share[blockIdx.x] = x[blockIdx.x] / __ldcg(sum);
}

void launch_shares(const Options& options, bool cooperative, std::vector<float>& share, uint32_t (&words)[2]) {
  const auto blocks = static_cast<unsigned>(share.size());
  std::vector<float> x(blocks);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i + 1);
  float sum = NAN;
  launch(shares_f32_kernel, {.grid_x = blocks, .threads = kThreads, .cooperative = cooperative}, stream_of_options(options),
         x.data(), &sum, &words[0], &words[1], share.data());
}

}  // namespace

TEST_CASE("emulation: blocks of a cooperative launch wait for each other, in any order, launch after launch") {
  uint32_t words[2] = {};
  for (const Options& options : kOptions) {
    std::vector<float> share(9, NAN);
    launch_shares(options, true, share, words);
    for (size_t i = 0; i < share.size(); ++i) CHECK(share[i] == static_cast<float>(i + 1) / 45.f);
    CHECK(words[0] == 0);
  }
  CHECK(words[1] == 4);  // the flag is only ever raised
}

TEST_CASE("emulation: a block that waits for another in an ordinary launch is an error") {
  uint32_t words[2] = {};
  std::vector<float> share(9, NAN);
  CHECK_THROWS_WITH_AS(launch_shares(kOptions[0], false, share, words),
                       doctest::Contains("waits for another block, which only blocks of a cooperative launch may"), Error);
}

TEST_CASE("emulation: blocks that wait for each other for ever are an error") {
  uint32_t words[2] = {5};  // not cleared: nobody draws the last ticket
  std::vector<float> share(3, NAN);
  CHECK_THROWS_WITH_AS(launch_shares(kOptions[0], true, share, words), doctest::Contains("wait for each other for ever"), Error);
}

namespace {

void divergent_kernel(int*) {
  begin_kernel();
  if (threadIdx.x < 16) {
    __syncthreads();
  } else {
    __shfl_xor_sync(0xFFFFFFFFu, 1, 1);
  }
}
void mixed_shuffles_kernel(int* out) {
  begin_kernel();
  *out = threadIdx.x < 16 ? __shfl_xor_sync(0xFFFFFFFFu, 1, 1) : __shfl_sync(0xFFFFFFFFu, 1, 1);
}
void empty_kernel(int*) {
  begin_kernel();
}

std::string error_of(void (*kernel)(int*), const LaunchShape& shape) {
  int out = 0;
  try {
    launch(kernel, shape, nullptr, &out);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("emulation: threads that wait for each other at different places are named") {
  const std::string divergent = error_of(divergent_kernel, {.threads = 32});
  CHECK(divergent.find("thread (16, 0, 0) waits for its warp at __shfl_xor_sync") != std::string::npos);
  CHECK(divergent.find("thread (0, 0, 0) at __syncthreads") != std::string::npos);
  CHECK(error_of(mixed_shuffles_kernel, {.threads = 32}).find("of the same warp at __shfl_sync") != std::string::npos);
}

namespace {

void never_begun_kernel(int*) {}
void late_begun_kernel(int*) {
  __syncthreads();
  begin_kernel();
}
void half_begun_kernel(int*) {
  if (threadIdx.x != 7) begin_kernel();
}

}  // namespace

TEST_CASE("emulation: a kernel must wait for the launches that it may overlap before it does anything else") {
  for (const auto kernel : {never_begun_kernel, late_begun_kernel}) {
    CHECK(error_of(kernel, {.threads = 32}).find("thread (0, 0, 0) does something before begin_kernel(), or never") !=
          std::string::npos);
  }
  CHECK(error_of(half_begun_kernel, {.threads = 32}).find("thread (7, 0, 0) does something before") != std::string::npos);
}

TEST_CASE("emulation: launches that no GPU takes are refused") {
  CHECK(error_of(empty_kernel, {.threads = 1056}).find("1056 threads") != std::string::npos);
  CHECK(error_of(empty_kernel, {.threads = 32, .shared_bytes = 300 << 10}).find("shared memory") != std::string::npos);
  CHECK(error_of(empty_kernel, {.grid_x = 0, .threads = 32}).find("grid of 0 x 1 x 1") != std::string::npos);
  CHECK(error_of(empty_kernel, {.grid_y = 65536, .threads = 32}).find("65536") != std::string::npos);
  CHECK(error_of(empty_kernel, {.threads = 32}) == "");
}

namespace {

enum class Plant { nothing, out_of_bounds, wrong_index };

/// y[i] = 0.2 x[i]: the case "scale", wrong as the plant says.
template <Plant kPlant>
void scale_f32_kernel(const float* x, float* y, int n) {
  begin_kernel();
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= n) return;
  const int from = kPlant == Plant::out_of_bounds && i == 0 ? n : kPlant == Plant::wrong_index && i > 0 ? i - 1 : i;
  y[i] = 0.2f * x[from];
}

template <Plant kPlant>
std::string problem_of_scale() {
  static const Kernel kernels[] = {
      {"scale", "planted", [](const NodeView&) -> std::optional<std::string> { return std::nullopt; },
       [](const NodeView& v) {
         return PreparedKernel{[n = static_cast<int>(v.output(0).size())](const KernelArgs& a) {
           launch(scale_f32_kernel<kPlant>, {.grid_x = static_cast<unsigned>(ceil_div(n, 32)), .threads = 32}, a.stream,
                  a.in<float>(0), a.out<float>(0), n);
         }};
       }}};
  const Provider provider{"planted", kernels};
  for (const Case& c : all_cases()) {
    if (c.op == "scale") return check_case(c, provider, Fill::reals).at(0).problem;
  }
  return "no case";
}

}  // namespace

TEST_CASE("emulation: a wrong index is caught") {
  CHECK(problem_of_scale<Plant::nothing>() == "");
  CHECK(problem_of_scale<Plant::wrong_index>().find("instead of") != std::string::npos);
}

TEST_CASE("emulation: a read out of bounds spoils the result") {  // and ends the process under AddressSanitizer
  CHECK(problem_of_scale<Plant::out_of_bounds>().find("nan") != std::string::npos);
}

namespace {

/// Runs every kernel on every case of the ops that `chosen` takes, in several thread orders.
void compare_orders(bool (*chosen)(std::string_view op)) {
  int compared = 0;
  for (const Case& c : all_cases()) {
    if (!chosen(c.op)) continue;
    const Graph graph = build_case(c, DType::f32);
    const Node& node = graph.nodes().back();
    if (node.op->is_source || node.op->is_view) continue;
    const NodeView view(graph, node);
    bool alone = true;
    for (ValueId id : node.inputs) alone = alone && graph.producer(id).op->name == "input";
    for (const Kernel& kernel : emulated::provider().kernels) {
      if (!alone || kernel.op != c.op || kernel.declines(view)) continue;
      CAPTURE(c.op + " " + c.name + " " + std::string(kernel.name));
      const auto first = run_case(c, kernel, Fill::reals, in_order(kOptions[0]));
      for (size_t i = 1; i < 3; ++i) CHECK((run_case(c, kernel, Fill::reals, in_order(kOptions[i])) == first));
      ++compared;
    }
  }
  CHECK(compared > 0);
}

}  // namespace

// In parts, so that they can be run side by side.
TEST_CASE("emulated kernels: the same bytes in every thread order, convolution") {
  compare_orders([](std::string_view op) { return op == "conv2d"; });
}
TEST_CASE("emulated kernels: the same bytes in every thread order, its gradients") {
  compare_orders([](std::string_view op) { return op.starts_with("conv2d_"); });
}
TEST_CASE("emulated kernels: the same bytes in every thread order, everything else") {
  compare_orders([](std::string_view op) { return !op.starts_with("conv2d"); });
}
