// Weights out and in again, the ONNX writer's bytes, walks. What other programs make of the files: tests/interop.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "interop/layouts.h"
#include "interop/onnx_model.h"
#include "tests/cli_testing.h"
#include "training/apng.h"
#include "training/latent_walk.h"
#include "training/safetensors.h"

TEST_SUITE_BEGIN("interop");

using namespace forger::test;

namespace {

std::string bytes_of_chars(std::initializer_list<int> bytes) {
  std::string text;
  for (const int b : bytes) text += static_cast<char>(b);
  return text;
}

double length_of(std::span<const float> v) {
  double sum = 0;
  for (const float x : v) sum += static_cast<double>(x) * static_cast<double>(x);
  return std::sqrt(sum);
}

}  // namespace

TEST_CASE("protocol buffers: the examples of its documentation") {
  using forger::ProtoMessage;
  CHECK(ProtoMessage().integer(1, 150).serialized() == bytes_of_chars({0x08, 0x96, 0x01}));
  CHECK(ProtoMessage().bytes(2, "testing").serialized() == bytes_of_chars({0x12, 7}) + "testing");
  CHECK(ProtoMessage().message(3, ProtoMessage().integer(1, 150)).serialized() == bytes_of_chars({0x1a, 3, 0x08, 0x96, 0x01}));
  const int64_t packed[] = {3, 270, 86942};
  CHECK(ProtoMessage().integers(6, packed).serialized() == bytes_of_chars({0x32, 6, 3, 0x8e, 2, 0x9e, 0xa7, 5}));
  CHECK(ProtoMessage().integer(1, -1).serialized().size() == 11);  // ten bytes of varint
  CHECK(ProtoMessage().real32(4, 1.0f).serialized() == bytes_of_chars({0x25, 0, 0, 0x80, 0x3f}));
  CHECK(ProtoMessage().real64(1, 2.0).serialized() == bytes_of_chars({0x09, 0, 0, 0, 0, 0, 0, 0, 0x40}));
}

TEST_CASE("layouts there and back") {
  const forger::Shape krsc{2, 1, 3, 4};
  std::vector<float> values(24);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  const auto kcrs = forger::krsc_to_kcrs(values, krsc);
  CHECK(kcrs[1] == 4);    // k 0, c 0, s 1 is element s * C of KRSC
  CHECK(kcrs[3] == 1);    // k 0, c 1, s 0
  CHECK(kcrs[12] == 12);  // k 1
  CHECK(forger::kcrs_to_krsc(kcrs, krsc) == values);
}

TEST_CASE("safetensors with PyTorch's names come back as the same run") {
  Workplace w;
  put_images(w / "data");
  const std::string flags = " --batch 2 --data data --grid 1x2 --threads 1";
  FORGER_RUN_OK(w, "train dcgan --steps 2 --out a" + flags);
  FORGER_RUN_OK(w, "export a --format safetensors --out a.safetensors");
  const auto file = forger::read_safetensors(w / "a.safetensors");
  CHECK(file.at("G.dense_1.weight").shape == std::vector<int64_t>{6272, 100});
  CHECK(file.at("G.conv2d_2.weight").shape == std::vector<int64_t>{64, 128, 4, 4});
  CHECK(file.at("G.conv2d_transpose_1.weight").shape == std::vector<int64_t>{128, 128, 4, 4});
  CHECK(file.at("G.batch_normalization_2.running_var").shape == std::vector<int64_t>{64});
  CHECK(file.at("D.conv2d_1.weight").shape == std::vector<int64_t>{32, 1, 3, 3});
  for (const auto& tensor : file.tensors) CHECK_MESSAGE(!contains(tensor.name, "adam"), tensor.name);

  FORGER_RUN_OK(w, "import a.safetensors --out b");
  FORGER_RUN_OK(w, "export b --format safetensors --out b.safetensors");
  const auto again = forger::read_safetensors(w / "b.safetensors");
  REQUIRE(again.tensors.size() == file.tensors.size());
  for (const auto& tensor : file.tensors)
    CHECK_MESSAGE(tensor.values<float>() == again.at(tensor.name).values<float>(), tensor.name);
  FORGER_RUN_OK(w, "sample a --count 2 --out a.npy");
  FORGER_RUN_OK(w, "sample b --count 2 --out b.npy");
  CHECK(w.text("a.npy") == w.text("b.npy"));
  FORGER_RUN_OK(w, "train --resume b --steps 1");  // a run like any other

  FORGER_REFUSES(w, "import a.safetensors --recipe mlp --out c", "a.safetensors", "dcgan", "mlp");
  FORGER_REFUSES(w, "import a.safetensors --z-dim 50 --out c", "G.dense_1.weight", "[6272,50]");
  FORGER_REFUSES(w, "import b/config.json --out c", "b/config.json");
  FORGER_REFUSES(w, "export a --format gif", "--format");
  FORGER_REFUSES(w, "export nowhere", "nowhere", "run directory");
}

TEST_CASE("weights without a recipe, with a tensor missing, too many or not finite are refused") {
  Workplace w;
  FORGER_RUN_OK(w, "train pattern1010 --steps 2 --out a");
  FORGER_RUN_OK(w, "export a --format safetensors --out a.safetensors");
  const auto write = [&](const std::string& name, const std::function<void(std::vector<forger::StoredTensor>&)>& change) {
    const auto file = forger::read_safetensors(w / "a.safetensors");
    auto tensors = file.tensors;
    change(tensors);
    forger::write_safetensors(w / name, tensors, {});
  };
  const std::vector<float> numbers{1, 2, NAN, 4}, one{1};
  write("plain.safetensors", [](auto&) {});
  write("less.safetensors", [](auto& t) { t.erase(t.begin()); });
  write("more.safetensors", [&](auto& t) { t.push_back(forger::stored_tensor("G.dense_9.bias", {1}, one)); });
  write("nan.safetensors", [&](auto& t) {
    for (auto& tensor : t) {
      if (tensor.name == "G.dense_2.bias") tensor = forger::stored_tensor("G.dense_2.bias", {4}, numbers);
    }
  });
  FORGER_REFUSES(w, "import plain.safetensors --out b", "plain.safetensors", "--recipe");
  FORGER_REFUSES(w, "import less.safetensors --recipe pattern1010 --out b", "less.safetensors", "has no tensor 'D.");
  FORGER_REFUSES(w, "import more.safetensors --recipe pattern1010 --out b", "G.dense_9.bias");
  FORGER_REFUSES(w, "import nan.safetensors --recipe pattern1010 --out b", "G.dense_2.bias", "not finite");
  FORGER_RUN_OK(w, "import plain.safetensors --recipe pattern1010 --out b");
  FORGER_RUN_OK(w, "sample a --out a.npy");
  FORGER_RUN_OK(w, "sample b --out b.npy");
  CHECK(w.text("a.npy") == w.text("b.npy"));
}

TEST_CASE("an ONNX model is the same bytes every time, and holds every weight of G") {
  Workplace w;
  FORGER_RUN_OK(w, "train gaussians4 --steps 2 --batch 4 --out a");
  FORGER_RUN_OK(w, "export a --out a.onnx");
  FORGER_RUN_OK(w, "export a --format onnx --out b.onnx");
  const std::string model = w.text("a.onnx");
  CHECK(model == w.text("b.onnx"));
  for (const char* part : {"Gemm", "Relu", "G/dense_1/kernel", "G/dense_3/bias", "samples", "forger"}) {
    CHECK_MESSAGE(contains(model, part), part);
  }
  CHECK_FALSE(contains(model, "D/"));
}

TEST_CASE("an ONNX model of a conditional generator takes the classes as a second input") {
  Workplace w;
  FORGER_RUN_OK(w, "train gaussians4 --conditional concat --steps 2 --batch 4 --out a");
  FORGER_RUN_OK(w, "export a --out a.onnx");
  const std::string model = w.text("a.onnx");
  for (const char* part : {"Concat", "labels", "samples"}) CHECK_MESSAGE(contains(model, part), part);
}

TEST_CASE("an imported G is what a run with averaged weights samples with") {
  Workplace w;
  FORGER_RUN_OK(w, "train gaussians4 --steps 2 --batch 4 --out a");
  FORGER_RUN_OK(w, "export a --format safetensors --out a.safetensors");
  const auto file = forger::read_safetensors(w / "a.safetensors");
  std::vector<forger::StoredTensor> g;
  for (const auto& tensor : file.tensors) {
    if (tensor.name.starts_with("G.")) g.push_back(tensor);
  }
  forger::write_safetensors(w / "g.safetensors", g, {});
  FORGER_RUN_OK(w, "import g.safetensors --recipe gaussians4 --ema 0.9 --out b");
  FORGER_RUN_OK(w, "sample a --count 4 --out a.npy");
  FORGER_RUN_OK(w, "sample b --count 4 --out b.npy");
  CHECK(w.text("a.npy") == w.text("b.npy"));
}

TEST_CASE("slerp keeps lengths and ends where it should") {
  const std::vector<float> a{3, 0, 0}, b{0, 3, 0};
  const auto middle = forger::slerp(a, b, 0.5);
  CHECK(length_of(middle) == doctest::Approx(3));
  CHECK(middle[0] == doctest::Approx(middle[1]));
  CHECK(forger::slerp(a, b, 0) == a);
  CHECK(forger::slerp(a, a, 0.3) == a);
  CHECK(forger::lerp(a, b, 0.5) == std::vector<float>{1.5, 1.5, 0});
  const std::vector<float> keys{3, 0, 0, 0, 3, 0};
  const auto path = forger::latent_walk(keys, 3, 4, true);
  CHECK(path.size() == 2 * 4 * 3);
  CHECK(path[0] == 3);
  CHECK(path[4 * 3 + 1] == 3);  // frame 4 is the second key
  for (size_t f = 0; f < 8; ++f) CHECK(length_of(std::span(path).subspan(f * 3, 3)) == doctest::Approx(3));
  CHECK_THROWS_AS(forger::latent_walk(keys, 4, 4, true), forger::ShapeError);
}

TEST_CASE("an animated PNG has its frames in sequence") {
  TemporaryFolder folder;
  std::vector<forger::RgbImage> frames;
  for (uint8_t f = 0; f < 3; ++f) frames.push_back({4, 2, std::vector<uint8_t>(24, static_cast<uint8_t>(f * 100))});
  forger::write_apng(folder / "a.png", frames, 50);
  const std::string file = get_text(folder / "a.png");
  std::string chunks;
  std::vector<uint32_t> sequence;
  const auto number = [&](size_t at) {
    uint32_t value = 0;
    for (size_t i = at; i < at + 4; ++i) value = value << 8 | static_cast<uint8_t>(file[i]);
    return value;
  };
  for (size_t at = 8; at < file.size(); at += 12 + number(at)) {
    const std::string type = file.substr(at + 4, 4);
    chunks += type + " ";
    if (type == "fcTL" || type == "fdAT") sequence.push_back(number(at + 8));
  }
  CHECK(chunks == "IHDR acTL fcTL IDAT fcTL fdAT fcTL fdAT IEND ");
  CHECK(sequence == std::vector<uint32_t>{0, 1, 2, 3, 4});
  frames.back().width = 5;
  CHECK_THROWS_AS(forger::write_apng(folder / "b.png", frames, 50), forger::ShapeError);
  CHECK_THROWS_AS(forger::write_apng(folder / "b.png", {}, 50), forger::ShapeError);
}

TEST_CASE("a walk writes frames and an animation, for images only") {
  Workplace w;
  put_images(w / "data");
  FORGER_RUN_OK(w, "train mlp --steps 1 --batch 2 --data data --threads 1 --out m");
  FORGER_RUN_OK(w, "walk m --keys 2 --steps 3 --grid 1x2 --out one");
  FORGER_RUN_OK(w, "walk m --keys 2 --steps 3 --grid 1x2 --out two");
  CHECK(w.has("one/frame-00005.png"));
  CHECK_FALSE(w.has("one/frame-00006.png"));
  CHECK(w.text("one/walk.png") == w.text("two/walk.png"));
  CHECK(w.text("one/frame-00000.png") != w.text("one/frame-00003.png"));
  FORGER_RUN_OK(w, "train gaussians4 --steps 1 --batch 2 --out g");
  FORGER_REFUSES(w, "walk g", "gaussians4", "no images");
  put_text(w / "file", "");
  FORGER_REFUSES(w, "walk m --out file", "file", "--out");
  FORGER_REFUSES(w, "walk m --grid 3", "--grid");
}

TEST_CASE("the report can be written again, with an evaluation") {
  Workplace w;
  FORGER_RUN_OK(w, "train gaussians4 --steps 20 --batch 4 --out g");
  const std::string before = w.text("g/report.html");
  FORGER_RUN_OK(w, "report g");
  CHECK(w.text("g/report.html") == before);
  put_text(w / "g/evaluation.json", R"({"fdz": 3.25})");
  FORGER_RUN_OK(w, "report g");
  CHECK(contains(w.text("g/report.html"), "\"fdz\":3.25"));
  FORGER_REFUSES(w, "report nowhere", "nowhere");
}

TEST_SUITE_END();
