#include "evaluation/digits.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <unordered_set>

#include "evaluation/classes.h"
#include "evaluation/kernel_distance.h"
#include "models/classifier.h"

namespace forger {
namespace {

constexpr int64_t kLeastSamples = 100;
constexpr int64_t kHeldOut = 10000;
constexpr int64_t kPixelQueries = 1000;  // pixel distances to all training images are the dearest part

Points features_of(const Classified& c) {
  return {c.features, kNumFeatures};
}

double quantile(std::vector<float> values, double q) {
  const auto at = static_cast<int64_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return static_cast<double>(values[static_cast<size_t>(at)]);
}

std::vector<float> floats_of(std::span<const uint8_t> bytes) {
  std::vector<float> values(bytes.size());
  std::transform(bytes.begin(), bytes.end(), values.begin(), [](uint8_t v) { return static_cast<float>(v) / 255.f; });
  return values;
}

std::string_view image(const ImageBytes& images, int64_t i) {
  const auto bytes = images.pixels.subspan(static_cast<size_t>(i * images.size), static_cast<size_t>(images.size));
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

double share(int64_t part, int64_t all) {
  return static_cast<double>(part) / static_cast<double>(all);
}

}  // namespace

std::pair<ImageBytes, ImageBytes> divide_training_set(std::span<const uint8_t> pixels, int64_t size) {
  const int64_t count = static_cast<int64_t>(pixels.size()) / size, held_out = std::min(kHeldOut, count / 2);
  const auto split = static_cast<size_t>((count - held_out) * size);
  return {{pixels.first(split), size}, {pixels.subspan(split), size}};
}

DigitReference::DigitReference(Classified reference, ImageBytes train, ImageBytes held_out)
    : reference_(std::move(reference)),
      scale_(features_of(reference_)),
      scaled_(scale_(features_of(reference_))),
      train_(train),
      train_pixels_(floats_of(train.pixels)),
      held_out_(held_out),
      held_out_distances_(train_distances(held_out)) {
  const Points points{scaled_, scale_.live()};
  radii_ = neighbour_radii(points);
  moments_ = moments(points);
  shares_ = forger::class_shares(reference_.classes());
  score_ = classifier_score(reference_.probabilities);
  spread_ = mean_pair_distance(points);
  spacing_ = std::sqrt(median(radii_));
  outlier_limit_ = quantile(neighbour_radii(points, 1), 0.99);
  copy_limit_ = quantile(held_out_distances_, 0.005);
  noise_limit_ = quantile(held_out_distances_, 0.995);
  held_out_median_ = std::sqrt(median(held_out_distances_));
}

/// Squared, of the first images to their nearest training image.
std::vector<float> DigitReference::train_distances(ImageBytes images) const {
  if (images.size != train_.size) fail<ShapeError>("images of {} bytes, the training images have {}", images.size, train_.size);
  const int64_t n = std::min(kPixelQueries, images.count());
  const std::vector<float> queries = floats_of(images.pixels.first(static_cast<size_t>(n * images.size)));
  return nearest({queries, images.size}, {train_pixels_, train_.size}).squared;
}

DigitMetrics DigitReference::operator()(const Classified& samples, ImageBytes pixels,
                                        const std::function<void(const char*)>& progress) const {
  if (samples.count < kLeastSamples) {
    fail<DataError>("{} samples, expected at least {}; 10000 are usual", samples.count, kLeastSamples);
  }
  if (pixels.count() != samples.count) fail<ShapeError>("{} images, {} were classified", pixels.count(), samples.count);
  const auto stage = [&](const char* name) {
    if (progress) progress(name);
  };
  DigitMetrics m;
  m.count = samples.count;
  const std::vector<float> scaled = scale_(features_of(samples));
  const Points real{scaled_, scale_.live()}, fake{scaled, scale_.live()};
  stage("Frechet distance");
  m.fdz = frechet_distance(moments_, moments(fake));
  stage("kernel distance");
  m.kid = kernel_distance_of_subsets(real, fake);
  stage("neighbours");
  const std::vector<float> radii = neighbour_radii(fake);
  m.prdc = neighbour_metrics(real, fake, radii_, radii);
  m.spacing_ratio = std::sqrt(median(radii)) / spacing_;
  m.spread_ratio = mean_pair_distance(fake) / spread_;
  const std::vector<float> to_real = nearest(fake, real).squared;
  m.outliers = share(std::count_if(to_real.begin(), to_real.end(), [&](float d) { return double{d} > outlier_limit_; }), m.count);
  m.class_shares = forger::class_shares(samples.classes());
  m.class_tv = total_variation(m.class_shares, shares_);
  m.score = classifier_score(samples.probabilities);
  m.score_ratio = m.score / score_;
  stage("copies");
  std::unordered_set<std::string_view> seen, training;
  for (int64_t i = 0; i < train_.count(); ++i) training.insert(image(train_, i));
  int64_t repeats = 0, copies = 0;
  for (int64_t i = 0; i < m.count; ++i) {
    repeats += !seen.insert(image(pixels, i)).second;
    copies += training.contains(image(pixels, i));
  }
  m.duplicates = share(repeats, m.count);
  m.exact_copies = share(copies, m.count);
  // The floor is the held-out images themselves, whose distances are known.
  const bool is_floor = pixels.pixels.data() == held_out_.pixels.data() && m.count == held_out_.count();
  const std::vector<float> distances = is_floor ? held_out_distances_ : train_distances(pixels);
  const auto is_near = [&](float d) { return double{d} < copy_limit_; };
  m.near_copies = share(std::count_if(distances.begin(), distances.end(), is_near), static_cast<int64_t>(distances.size()));
  const auto is_far = [&](float d) { return double{d} > noise_limit_; };
  m.pixel_outliers = share(std::count_if(distances.begin(), distances.end(), is_far), static_cast<int64_t>(distances.size()));
  m.train_distance = std::sqrt(median(distances)) / held_out_median_;
  return m;
}

}  // namespace forger
