#include "evaluation/extractor.h"

#include <algorithm>

#include "models/classifier.h"

namespace forger {
namespace {

constexpr int64_t kChunk = 100;  // images at once: activations stay in the second-level cache

}  // namespace

std::vector<uint8_t> Classified::classes() const {
  std::vector<uint8_t> best;
  for (int64_t i = 0; i < count; ++i) {
    const auto row = probabilities.begin() + i * kNumClasses;
    best.push_back(static_cast<uint8_t>(std::max_element(row, row + kNumClasses) - row));
  }
  return best;
}

Extractor::Extractor(const Shape& sample, const Backend& backend, VariableStore& variables)
    : sample_size_(num_elements(sample)),
      images_(static_cast<size_t>(kChunk * sample_size_)),
      session_(compile(build_classifier(sample, kChunk), backend.providers, backend.target), variables, 0) {}

Classified Extractor::operator()(std::span<const uint8_t> pixels, const Progress& progress) {
  const auto total = static_cast<int64_t>(pixels.size());
  if (total % sample_size_ != 0) fail<ShapeError>("{} pixels, expected a multiple of {}", total, sample_size_);
  Classified result;
  result.count = total / sample_size_;
  for (int64_t begin = 0; begin < result.count; begin += kChunk) {
    const int64_t n = std::min(kChunk, result.count - begin);
    std::transform(pixels.begin() + begin * sample_size_, pixels.begin() + (begin + n) * sample_size_, images_.begin(),
                   [](uint8_t v) { return static_cast<float>(v) / 127.5f - 1.f; });
    session_.feed("images", images_.data());
    session_.run();
    const auto append = [&](std::vector<float>& to, const char* name, int64_t width) {
      const std::vector<double> values = session_.output(name);
      to.insert(to.end(), values.begin(), values.begin() + n * width);
    };
    append(result.features, "features", kNumFeatures);
    append(result.probabilities, "probabilities", kNumClasses);
    if (progress) progress(begin + n);
  }
  return result;
}

double accuracy(const Classified& images, std::span<const uint8_t> labels) {
  if (static_cast<int64_t>(labels.size()) != images.count) {
    fail<ShapeError>("{} labels for {} classified images", labels.size(), images.count);
  }
  const std::vector<uint8_t> classes = images.classes();
  int64_t right = 0;
  for (size_t i = 0; i < classes.size(); ++i) right += classes[i] == labels[i];
  return static_cast<double>(right) / static_cast<double>(images.count);
}

}  // namespace forger
