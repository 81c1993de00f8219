// The vendor provider as far as it goes without a GPU: libraries, reasons to decline, descriptors, and the engines that
// cuDNN offers for an H200 that is only described. What needs a GPU is checked there by `forger verify --device cuda`.
#ifdef FORGER_HAVE_VENDOR
#include "kernels/vendor/library.h"

#include <doctest/doctest.h>

#include <cstring>

#include "engine/ops/ops.h"
#include "engine/providers/provider.h"
#include "kernels/common/errors.h"
#include "kernels/vendor/conv2d.h"
#include "kernels/vendor/convolution_graph.h"
#include "kernels/vendor/matmul.h"
#include "kernels/vendor/matmul_problem.h"
#include "kernels/vendor/versions.h"
#include "tests/conv_test_util.h"

using namespace forger;
using namespace forger::vendor;

namespace {

constexpr Direction kDirections[] = {Direction::forward, Direction::input_grad, Direction::filter_grad};
constexpr Maths kAllMaths[] = {Maths::fp32, Maths::tf32, Maths::bf16};

/// The seed's layers, one with nothing square, and one whose last row is never read.
const std::vector<Conv2dShape> kShapes = {
    conv_test::same(32, 28, 128, 64, 4, 1), conv_test::same(32, 14, 64, 128, 4, 2),  conv_test::same(32, 28, 64, 1, 7, 1),
    conv_test::same(32, 28, 1, 32, 3, 2),   {2, 6, 9, 3, 4, 2, 5, 4, 3, 2, 3, 1, 2}, {1, 6, 6, 4, 4, 3, 3, 2, 2, 2, 2, 0, 0},
};

/// Skips, aloud, where cuDNN is not installed.
bool cudnn_is_here() {
  if (cudnn().missing.empty()) return true;
  MESSAGE("skipped: " << cudnn().missing);
  return false;
}

/// cuDNN 9.8 and later plan for a GPU that is not there, given what it would say of itself.
std::optional<Descriptor> described_h200() {
  if (cudnn().GetVersion() < 90800) return std::nullopt;
  const char* const properties =
      R"({"cudaDeviceId":0,"deviceVer":900,"driverVer":13000,"totalGlobalMem":150000000000,)"
      R"("maxGridSize":[2147483647,65535,65535],"maxBlockSize":[1024,1024,64],"regsPerBlock":65536,)"
      R"("multiProcessorCount":132,"warpSize":32,"maxSharedMemoryPerBlock":49152,"maxSharedMemoryPerBlockOptin":232448,)"
      R"("reservedSharedMemoryPerBlock":1024,"maxRegistersPerSM":65536,"maxCtasPerSM":32,"maxThreadsPerBlock":1024,)"
      R"("maxThreadsPerSM":2048,"pciDeviceId":0,"isTccDriver":0,"supportCoopLaunch":1,"smClockRateKHz":1980000,)"
      R"("memClockRateKHz":3201000,"l2CacheSize":62914560,"deviceName":"NVIDIA H200"})";
  Descriptor d(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  d.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, std::span<const char>(properties, std::strlen(properties) + 1));
  if (!d.try_finalize()) return std::nullopt;
  return d;
}

bool has(const Plan& plan, cudnnBackendNumericalNote_t note) {
  return std::find(plan.notes.begin(), plan.notes.end(), note) != plan.notes.end();
}

}  // namespace

TEST_CASE("vendor: a library that is missing is named, and nothing of it can be called") {
  const char* const files[] = {"libno_such_cudnn.so.9"};
  const Cudnn dnn = load_cudnn(files);
  CHECK(dnn.missing.find("libno_such_cudnn.so.9") != std::string::npos);
  CHECK((dnn.BackendExecute == nullptr));
  const CublasLt lt = load_cublas_lt(files);
  CHECK(lt.missing.find("cannot open") != std::string::npos);
  CHECK((lt.Matmul == nullptr));
}

TEST_CASE("vendor: a library without the functions is called too old") {
  const char* const files[] = {"libno_such_cudnn.so.9", "libm.so.6"};
  CHECK(load_cudnn(files).missing.find("libm.so.6 has no cudnnGetVersion") != std::string::npos);
}

TEST_CASE("vendor: versions name both libraries or say why not") {
  const std::string v = versions();
  CHECK(v.find(cudnn().missing.empty() ? "cuDNN 9." : "missing") != std::string::npos);
  CHECK(v.find("cuBLASLt ") != std::string::npos);
}

TEST_CASE("vendor: rows decline where there is no GPU, and say so") {
  if (!missing_gpu()) {
    MESSAGE("skipped: there is a GPU");
    return;
  }
  Graph graph(DType::f32);
  const Value x = graph.input("x", {DType::f32, {2, 8, 8, 4}}), w = graph.input("w", {DType::f32, {4, 3, 3, 4}});
  conv2d(x, w, 1, Padding::same);
  const NodeView view(graph, graph.nodes().back());
  for (const Kernel& kernel : provider().kernels) {
    if (kernel.op != "conv2d") continue;
    const auto reason = kernel.declines(view);
    REQUIRE(reason.has_value());
    CHECK_MESSAGE(reason->find(cudnn().missing.empty() ? "no NVIDIA GPU" : "libcudnn") != std::string::npos, *reason);
  }
  CHECK(matmul_declines().has_value());
  CHECK_THROWS_AS(Convolution(Direction::forward, kShapes[0], false, Maths::fp32), DeviceError);
  CHECK_THROWS_AS(Matmul({2, 3, 4, false, false}, false, Maths::fp32), DeviceError);
}

TEST_CASE("vendor: which geometries cuDNN can be asked for") {
  for (const Conv2dShape& s : kShapes) CHECK_FALSE(geometry_declines(s).has_value());
  CHECK(geometry_declines({1, 9, 9, 4, 4, 3, 3, 2, 2, 2, 2, 0, 0}).has_value());   // 4x4 outputs would fit
  CHECK(geometry_declines({1, 6, 6, 4, 4, 3, 3, 2, 2, 2, 2, -1, 0}).has_value());  // crops
}

TEST_CASE("vendor: sizes of operands and results in each direction") {
  const Conv2dShape s = kShapes[4];
  for (const Direction d : kDirections) {
    const ConvolutionProblem p{d, s, Maths::fp32};
    CHECK(p.first_size() == (d == Direction::input_grad ? s.output_size() : s.input_size()));
    CHECK(p.second_size() == (d == Direction::filter_grad ? s.output_size() : s.filter_size()));
    CHECK(p.first_size() + p.second_size() + p.result_size() == s.input_size() + s.filter_size() + s.output_size());
  }
}

TEST_CASE("vendor: cuDNN accepts every graph") {
  if (!cudnn_is_here()) return;
  for (const Conv2dShape& s : kShapes) {
    for (const Direction d : kDirections) {
      for (const Maths m : kAllMaths) {
        CHECK_NOTHROW(convolution_graph({d, s, m}, false, {}));
        if (d != Direction::filter_grad) CHECK_NOTHROW(convolution_graph({d, s, m}, true, {}));
      }
    }
  }
}

TEST_CASE("vendor: cuDNN accepts the pointers of a run") {
  if (!cudnn_is_here()) return;
  alignas(64) static float memory[4][16];
  const int64_t ids[] = {kFirst, kSecond, kResult};
  void* const pointers[] = {memory[0], memory[1], memory[2]};
  Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  CHECK_NOTHROW(pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, std::span<const int64_t>(ids)));
  CHECK_NOTHROW(pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, std::span<void* const>(pointers)));
  CHECK_NOTHROW(pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, static_cast<void*>(memory[3])));
  CHECK_NOTHROW(pack.finalize());
}

TEST_CASE("vendor: cuDNN's words reach the error") {
  if (!cudnn_is_here()) return;
  const auto text = [&] {
    try {
      Descriptor(CUDNN_BACKEND_TENSOR_DESCRIPTOR).finalize();  // without a shape
    } catch (const DeviceError& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  }();
  CHECK_MESSAGE(text.find("CUDNN_STATUS_BAD_PARAM") != std::string::npos, text);
  CHECK_MESSAGE(text.find("cudnnBackendFinalize") != std::string::npos, text);
}

TEST_CASE("vendor: cuDNN has deterministic engines of the right maths for an H200") {
  if (!cudnn_is_here()) return;
  const std::optional<Descriptor> h200 = described_h200();
  if (!h200) {
    MESSAGE("skipped: this cuDNN does not plan for a GPU that is only described");
    return;
  }
  for (const Conv2dShape& s : kShapes) {
    for (const Direction d : kDirections) {
      for (const Maths m : {Maths::fp32, Maths::tf32}) {  // bf16 engines are compiled for the GPU at hand
        CAPTURE(s.K);
        CAPTURE(static_cast<int>(d));
        CAPTURE(static_cast<int>(m));
        const EngineTarget target{.properties = &*h200};
        const std::vector<Plan> plans = find_plans(convolution_graph({d, s, m}, false, target), m, target, 8);
        CHECK(!plans.empty());
        CHECK(plans.size() <= 8);
        for (const Plan& plan : plans) {
          CHECK_FALSE(has(plan, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC));
          if (m == Maths::fp32) CHECK_FALSE(has(plan, CUDNN_NUMERICAL_NOTE_TENSOR_CORE));
          CHECK(plan.workspace_bytes >= 0);
          CHECK(plan.workspace_bytes <= kMostWorkspace);
        }
        if (d == Direction::forward) {  // conv + bias in one engine
          CHECK(!find_plans(convolution_graph({d, s, m}, true, target), m, target, 8).empty());
        }
      }
    }
  }
  const EngineTarget target{.properties = &*h200};
  const auto tf32 =
      find_plans(convolution_graph({Direction::forward, kShapes[0], Maths::tf32}, false, target), Maths::tf32, target, 8);
  CHECK(has(tf32.at(0), CUDNN_NUMERICAL_NOTE_TENSOR_CORE));
}

TEST_CASE("vendor: cuBLASLt accepts every transposition, bias and maths") {
  if (!cublas_lt().missing.empty()) {
    MESSAGE("skipped: " << cublas_lt().missing);
    return;
  }
  for (const Maths m : kAllMaths) {
    for (int variant = 0; variant < 8; ++variant) {
      const bool bias = (variant & 4) != 0;
      const float value = 0;
      MatmulProblem problem({3, 5, 7, (variant & 1) != 0, (variant & 2) != 0}, bias, m);
      if (bias) CHECK_NOTHROW(problem.bind_bias(&value));
    }
  }
  CHECK_NOTHROW(MatmulPreference(1 << 20));
}
#endif
