#include "training/samples.h"

#include <cstring>

#include "evaluation/histogram_kl.h"
#include "models/conditioning.h"
#include "models/gan_networks.h"
#include "training/pictures.h"

namespace forger {
namespace {

constexpr int64_t kPoints = 1000;  // in a scatter or histogram
constexpr int64_t kMaxChunk = 64;  // images made at once
constexpr int kHistogramBins = 42;

int64_t chunk_size(SampleKind kind) {
  return kind == SampleKind::images ? kMaxChunk : kPoints;
}

}  // namespace

Grid parse_grid(const std::string& text, const std::string& option) {
  int rows = 0, columns = 0;
  char rest = 0;
  if (std::sscanf(text.c_str(), "%dx%d%c", &rows, &columns, &rest) != 2 || rows < 1 || columns < 1 || rows > 100 ||
      columns > 100) {
    fail<ConfigError>("{}: '{}' is not rows x columns, such as 4x8 (each 1 to 100)", option, text);
  }
  return {rows, columns};
}

Sampler::Sampler(const Recipe& recipe, const Config& config, const Shape& sample, const Backend& backend,
                 VariableStore& variables)
    : z_dim_(config.integer("z-dim")),
      chunk_(chunk_size(recipe.kind)),
      sample_size_(num_elements(sample)),
      classes_(classes_of(config)),
      z_(static_cast<size_t>(chunk_ * z_dim_)),
      session_(compile(build_sampler(recipe, config, sample, chunk_), backend.providers, backend.target), variables,
               static_cast<uint64_t>(config.integer("seed"))) {}

std::vector<float> Sampler::operator()(const std::vector<float>& z, std::vector<int64_t> labels) {
  const int64_t count = static_cast<int64_t>(z.size()) / z_dim_;
  if (classes_ > 0 && labels.empty()) labels = classes_by_column(count, count, classes_);
  std::vector<float> samples;
  for (int64_t begin = 0; begin < count; begin += chunk_) {
    const int64_t n = std::min(chunk_, count - begin);
    std::copy_n(z.begin() + begin * z_dim_, n * z_dim_, z_.begin());
    session_.feed("z", z_.data());
    if (classes_ > 0) {
      std::vector<int64_t> chunk_labels(labels.begin() + begin, labels.begin() + begin + n);
      chunk_labels.resize(static_cast<size_t>(chunk_), 0);
      one_hot_ = one_hot(chunk_labels, classes_);
      session_.feed("labels", one_hot_.data());
    }
    session_.run();
    const std::vector<double> out = session_.output("samples");
    samples.insert(samples.end(), out.begin(), out.begin() + n * sample_size_);
  }
  return samples;
}

PictureBook::PictureBook(const Recipe& recipe, const Config& config, const RealData& data, const Backend& backend,
                         VariableStore& variables)
    : recipe_(recipe), sample_(data.sample_shape()), sampler_(recipe, config, sample_, backend, variables) {
  const auto seed = static_cast<uint64_t>(config.integer("seed"));
  int64_t count = recipe.kind == SampleKind::pattern ? 1 : kPoints;
  if (recipe.kind == SampleKind::images) {
    grid_ = parse_grid(config.text("grid"), "--grid");
    count = grid_.rows * grid_.columns;
    reals_ = real_images(data, count);
  } else {
    const auto points = real_points(data, config, count);
    reals_.assign(points.begin(), points.end());
  }
  z_ = latent_noise(config, count, seed, "pictures/z");
  const int64_t columns = recipe.kind == SampleKind::images ? grid_.columns : count;
  if (const int64_t classes = classes_of(config)) labels_ = classes_by_column(count, columns, classes);
}

void PictureBook::write_reals(const std::string& path) const {
  if (recipe_.kind == SampleKind::images) {
    const int64_t n = static_cast<int64_t>(reals_.size()) / num_elements(sample_);
    write_grid(path, reals_, n, sample_[0], sample_[1], sample_[2], grid_.rows, grid_.columns);
  } else if (recipe_.kind == SampleKind::pattern) {
    write_matrix(path, reals_, 1, sample_[0]);
  } else if (sample_[0] == 1) {
    write_histogram(path, reals_, {}, kHistogramBins);
  } else {
    write_scatter(path, reals_, {});
  }
}

std::vector<float> PictureBook::write_fakes(const std::string& path) {
  std::vector<float> fakes = sampler_(z_, labels_);
  if (recipe_.kind == SampleKind::images) {
    const int64_t n = static_cast<int64_t>(fakes.size()) / num_elements(sample_);
    write_grid(path, fakes, n, sample_[0], sample_[1], sample_[2], grid_.rows, grid_.columns);
  } else if (recipe_.kind == SampleKind::pattern) {
    write_matrix(path, fakes, 1, sample_[0]);
  } else if (sample_[0] == 1) {
    write_histogram(path, reals_, fakes, kHistogramBins);
  } else {
    write_scatter(path, reals_, fakes);
  }
  return fakes;
}

std::optional<double> PictureBook::kl() {
  if (recipe_.kind != SampleKind::points || sample_[0] != 1) return {};
  const std::vector<float> fakes = sampler_(z_, labels_);
  const std::vector<double> real(reals_.begin(), reals_.end()), fake(fakes.begin(), fakes.end());
  return histogram_kl(real, fake, kHistogramBins);
}

}  // namespace forger
