// The classifier that ships, and the verdict: real images pass, and each planted failure is called by its name.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "datasets/image_dataset.h"
#include "evaluation/verdict.h"
#include "kernels/common/philox.h"
#include "models/classifier.h"
#include "training/classifier_weights.h"

using namespace forger;

namespace {

constexpr int64_t kSize = 28 * 28;
constexpr int64_t kCount = 1000;

/// Images and what the classifier says of them.
struct Samples {
  std::vector<uint8_t> pixels;
  Classified classified;

  ImageBytes bytes() const { return {pixels, kSize}; }
  /// The samples of the given rows, which may repeat.
  Samples rows(const std::vector<int64_t>& numbers) const {
    Samples s;
    s.classified.count = static_cast<int64_t>(numbers.size());
    const auto append = [](auto& to, const auto& from, int64_t row, int64_t width) {
      to.insert(to.end(), from.begin() + row * width, from.begin() + (row + 1) * width);
    };
    for (const int64_t i : numbers) {
      append(s.pixels, pixels, i, kSize);
      append(s.classified.features, classified.features, i, kNumFeatures);
      append(s.classified.probabilities, classified.probabilities, i, kNumClasses);
    }
    return s;
  }
};

/// MNIST, the embedded classifier, and a small reference: 1,000 test images; 4,000 training images; 1,000 held out.
class World {
 public:
  World()
      : train_(load_mnist(FORGER_SOURCE_DIR "/datasets/mnist", Split::train)),
        test_(load_mnist(FORGER_SOURCE_DIR "/datasets/mnist", Split::test)),
        backend_(open_backend({.device = "cpu"})),
        variables_(*backend_.device),
        extractor_({28, 28, 1}, backend_, variables_) {
    embedded_classifier().restore(variables_);
    reference_images_ = classify(slice(test_, 0, kCount));
    held_out_ = classify(slice(train_, 50000, kCount));
    training_ = slice(train_, 0, 4 * kCount);
    reference_ = std::make_unique<DigitReference>(reference_images_.classified, ImageBytes{training_, kSize}, held_out_.bytes());
    floor_ = measure(held_out_);
  }

  static std::vector<uint8_t> slice(const ImageDataset& set, int64_t first, int64_t count) {
    return {set.pixels.begin() + first * kSize, set.pixels.begin() + (first + count) * kSize};
  }
  Samples classify(std::vector<uint8_t> pixels) {
    Samples s{std::move(pixels), {}};
    s.classified = extractor_(s.pixels);
    return s;
  }
  DigitMetrics measure(const Samples& s) const { return (*reference_)(s.classified, s.bytes()); }
  SampleVerdict verdict(const Samples& s) const { return judge_samples(measure(s), floor_); }

  const ImageDataset& train() const { return train_; }
  const ImageDataset& test() const { return test_; }
  const Samples& reference_images() const { return reference_images_; }
  const DigitMetrics& floor() const { return floor_; }

 private:
  ImageDataset train_, test_;
  Backend backend_;
  VariableStore variables_;
  Extractor extractor_;
  Samples reference_images_, held_out_;
  std::vector<uint8_t> training_;
  std::unique_ptr<DigitReference> reference_;
  DigitMetrics floor_;
};

std::vector<std::string> names(const SampleVerdict& v) {
  std::vector<std::string> found;
  for (const Failure f : v.failures) found.emplace_back(name_of(f));
  return found;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("verdict: real images pass, planted failures are called by name") {
  World w;
  // Of the first 1,000 test images, which are harder than the rest: 99.42 % of all 10,000 are measured.
  CHECK(accuracy(w.reference_images().classified, std::span(w.test().labels).first(kCount)) > 0.985);
  CHECK(w.floor().fdz > 0);
  const Samples real = w.classify(World::slice(w.train(), 30000, kCount));
  std::vector<int64_t> all(static_cast<size_t>(kCount));
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);

  SUBCASE("real images") {
    const SampleVerdict v = w.verdict(real);
    CHECK(names(v) == Names{});
    CHECK_MESSAGE(v.good, v.text);
  }
  SUBCASE("a dropped class") {
    std::vector<int64_t> kept;
    const auto classes = real.classified.classes();
    std::copy_if(all.begin(), all.end(), std::back_inserter(kept),
                 [&](int64_t i) { return classes[static_cast<size_t>(i)] != 4; });
    const SampleVerdict v = w.verdict(real.rows(kept));
    CHECK(names(v) == Names{"dropped class"});
    CHECK(v.text.find("4 makes less than 2 %") != std::string::npos);
    CHECK_FALSE(v.good);
  }
  SUBCASE("few images, made again and again") {
    std::vector<int64_t> repeated;
    for (int64_t i = 0; i < kCount; ++i) repeated.push_back(i % 50);
    const Samples s = real.rows(repeated);
    const SampleVerdict v = w.verdict(s);
    CHECK_MESSAGE(names(v) == Names{"repeats"}, v.text);
    CHECK(w.measure(s).duplicates == doctest::Approx(0.95));
    CHECK(w.measure(s).spread_ratio > 0.8);  // they are as varied as fifty images are
  }
  SUBCASE("a tenth is noise") {
    std::vector<uint8_t> noise(static_cast<size_t>(kCount / 10 * kSize));
    for (size_t i = 0; i < noise.size(); ++i)
      noise[i] = static_cast<uint8_t>(philox_block(1, 2, 3, static_cast<uint32_t>(i)).v[0]);
    std::vector<uint8_t> pixels = real.pixels;
    std::copy(noise.begin(), noise.end(), pixels.begin());
    const SampleVerdict v = w.verdict(w.classify(std::move(pixels)));
    CHECK_MESSAGE(names(v) == Names{"noise"}, v.text);
    CHECK_FALSE(v.good);
  }
  SUBCASE("copies of training images, exact and with a little noise") {
    std::vector<uint8_t> pixels = World::slice(w.train(), 1000, kCount);
    const SampleVerdict v = w.verdict(w.classify(pixels));
    CHECK_MESSAGE(names(v) == Names{"copies"}, v.text);
    for (size_t i = 0; i < pixels.size(); ++i) {
      pixels[i] = static_cast<uint8_t>(
          std::clamp(pixels[i] + static_cast<int>(static_cast<uint32_t>(i) * 2654435761u >> 29) - 3, 0, 255));
    }
    const Samples blurred = w.classify(pixels);
    CHECK(w.measure(blurred).exact_copies == 0);
    CHECK_MESSAGE(names(w.verdict(blurred)) == Names{"copies"}, w.verdict(blurred).text);
  }
  SUBCASE("one image with a little noise") {
    std::vector<uint8_t> pixels;
    for (int64_t i = 0; i < kCount; ++i) pixels.insert(pixels.end(), real.pixels.begin(), real.pixels.begin() + kSize);
    for (size_t i = 0; i < pixels.size(); ++i) {
      pixels[i] = static_cast<uint8_t>(
          std::clamp(pixels[i] + static_cast<int>(static_cast<uint32_t>(i) * 2654435761u >> 28) - 8, 0, 255));
    }
    const SampleVerdict v = w.verdict(w.classify(std::move(pixels)));
    CHECK_MESSAGE(std::find(v.failures.begin(), v.failures.end(), Failure::collapse) != v.failures.end(), v.text);
    CHECK_FALSE(v.good);
  }
}

TEST_CASE("verdict: the embedded classifier is the committed file, and only classifiers are accepted") {
  const Checkpoint embedded = embedded_classifier();
  const Checkpoint file =
      find_classifier(FORGER_SOURCE_DIR "/evaluation/weights/mnist-classifier.safetensors", [](const std::string&) {});
  CHECK(embedded.tensors == file.tensors);
  CHECK(embedded.config.recipe() == kClassifierRecipe);
  CHECK_THROWS_AS(find_classifier("/nowhere", [](const std::string&) {}), DataError);
}

TEST_CASE("classifier: held-out images are left out, shifts move by one pixel") {
  Config config = find_recipe(kClassifierRecipe).defaults;
  config.set("data", std::string(FORGER_SOURCE_DIR "/datasets/mnist"));
  config.set("holdout", std::string("59998"));
  const RealData data = load_real_data(config);
  const ImageDataset all = load_mnist(FORGER_SOURCE_DIR "/datasets/mnist", Split::train);
  REQUIRE(data.table.shape == Shape{10, 28, 28, 1});
  REQUIRE(data.labels.size() == 10);
  const int moves[5][2] = {{0, 0}, {-1, 0}, {1, 0}, {0, -1}, {0, 1}};  // down, right
  for (int copy = 0; copy < 5; ++copy) {
    for (int image = 0; image < 2; ++image) {
      CHECK(data.labels[static_cast<size_t>(copy * 2 + image)] == all.labels[static_cast<size_t>(image)]);
      int wrong = 0;
      for (int y = 0; y < 28; ++y) {
        for (int x = 0; x < 28; ++x) {
          const int from_y = y - moves[copy][0], from_x = x - moves[copy][1];
          const bool inside = from_y >= 0 && from_y < 28 && from_x >= 0 && from_x < 28;
          const uint8_t expected = inside ? all.pixels[static_cast<size_t>((image * 28 + from_y) * 28 + from_x)] : uint8_t{0};
          wrong += static_cast<uint8_t>(data.bytes[static_cast<size_t>(((copy * 2 + image) * 28 + y) * 28 + x)]) != expected;
        }
      }
      CHECK(wrong == 0);
    }
  }
  config.set("holdout", std::string("60000"));
  CHECK_THROWS_AS(load_real_data(config), ConfigError);
}
