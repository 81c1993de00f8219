// The evaluation of images in ten classes: every metric of a set of samples against real images that were kept apart.
#pragma once

#include <string>

#include "evaluation/extractor.h"
#include "evaluation/frechet.h"
#include "evaluation/neighbours.h"

namespace forger {

/// Bytes [count, size] of images without labels.
struct ImageBytes {
  std::span<const uint8_t> pixels = {};
  int64_t size = 0;  // bytes of one image

  int64_t count() const { return static_cast<int64_t>(pixels.size()) / size; }
};

/// The images of a training set without its last 10,000 (of a small set half of them), and these: held out, they are the floor.
std::pair<ImageBytes, ImageBytes> divide_training_set(std::span<const uint8_t> pixels, int64_t size);

struct DigitMetrics {
  int64_t count = 0;
  // In the space of z-scored live features, against the reference.
  double fdz = 0, kid = 0;
  NeighbourMetrics prdc = {};
  double outliers = 0;       // share farther from all of the reference than 99 % of its own images are from one another
  double spread_ratio = 0;   // mean distance of two samples, over the reference's
  double spacing_ratio = 0;  // median distance to the 5th nearest other sample, over the reference's
  // What the classifier says.
  std::vector<double> class_shares = {};
  double class_tv = 0, score = 0, score_ratio = 0;
  // In the space of pixels.
  double duplicates = 0;      // share that repeat an earlier sample, byte for byte
  double exact_copies = 0;    // share that are a training image, byte for byte
  double pixel_outliers = 0;  // of 1,000 samples: share farther from all training images than 99.5 % of the held-out ones are
  double near_copies = 0;     // of 1,000 samples: share nearer to a training image than 99.5 % of the held-out ones are
  double train_distance = 0;  // of 1,000 samples: median distance to the nearest training image, over the held-out ones'
};

/// What samples are compared with.
class DigitReference {
 public:
  /// reference: classified test images. train: the images that generators learn from. held_out: real images in neither.
  /// The spans must outlive this.
  DigitReference(Classified reference, ImageBytes train, ImageBytes held_out);

  /// `progress` is called with the name of what comes next. Throws DataError for fewer than 100 samples.
  DigitMetrics operator()(const Classified& samples, ImageBytes pixels,
                          const std::function<void(const char*)>& progress = {}) const;

  const std::vector<double>& class_shares() const { return shares_; }
  int64_t live_features() const { return scale_.live(); }

 private:
  std::vector<float> train_distances(ImageBytes images) const;

  Classified reference_;
  FeatureScale scale_;
  std::vector<float> scaled_, radii_;
  Moments moments_;
  std::vector<double> shares_;
  double score_, spread_, spacing_, outlier_limit_;
  ImageBytes train_;
  std::vector<float> train_pixels_;
  ImageBytes held_out_;
  std::vector<float> held_out_distances_;              // squared
  double copy_limit_, noise_limit_, held_out_median_;  // squared; not squared
};

}  // namespace forger
