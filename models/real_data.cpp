#include "models/real_data.h"

#include <algorithm>
#include <cstring>

#include "engine/ops/ops.h"

namespace forger {
namespace {

constexpr int64_t kMaxRows = 100'000'000;

template <class T>
std::vector<std::byte> bytes_as(const std::vector<float>& values) {
  const std::vector<T> converted(values.begin(), values.end());
  std::vector<std::byte> bytes(converted.size() * sizeof(T));
  std::memcpy(bytes.data(), converted.data(), bytes.size());
  return bytes;
}

RealData load_points(const Config& config, DType real) {
  const Mixture mixture = mixture_of(config.text("distribution"));
  const int64_t rows = config.integer("data-size");
  RealData data;
  data.fresh = rows == 0;
  data.replacement = data.fresh;
  data.normal_noise = mixture.noise == Mixture::Noise::normal;
  data.noise_scale = static_cast<double>(mixture.scale);
  const auto values = data.fresh ? mixture.centers : sample(mixture, rows, static_cast<uint64_t>(config.integer("seed")));
  data.table = {real, {static_cast<int64_t>(values.size()) / mixture.dims, mixture.dims}};
  data.bytes = real == DType::f64 ? bytes_as<double>(values) : bytes_as<float>(values);
  data.description = data.fresh ? fmt::format("{}: new samples in every batch", config.text("distribution"))
                                : fmt::format("{}: {} samples", config.text("distribution"), rows);
  return data;
}

/// Drops the last `count` images.
void leave_out(ImageDataset& images, int64_t count, const std::string& name) {
  if (count >= images.count) {
    fail<ConfigError>("--holdout: {} of {} images of {} leave none to train on; give a smaller number", count, images.count,
                      name);
  }
  images.count -= count;
  images.pixels.resize(static_cast<size_t>(images.count * images.height * images.width * images.channels));
  if (!images.labels.empty()) images.labels.resize(static_cast<size_t>(images.count));
}

void check_labels(const ImageDataset& images, const std::string& name) {
  if (images.labels.empty()) fail<DataError>("{}: has no labels, which a classifier needs; give --data IDX files", name);
  const int most = *std::max_element(images.labels.begin(), images.labels.end());
  if (most > 9) fail<DataError>("{}: has a label {}, the classifier knows 0 to 9; give --data a set of ten classes", name, most);
}

/// Appends four copies of the set, moved by one pixel up, down, left and right; what moves in is 0, as MNIST's border is.
void add_shifts(ImageDataset& images) {
  const int64_t n = images.count, row = images.width * images.channels, size = images.height * row;
  images.pixels.resize(static_cast<size_t>(5 * n * size));
  images.labels.resize(static_cast<size_t>(5 * n));
  uint8_t* to = images.pixels.data() + n * size;
  for (int64_t copy = 0; copy < 4; ++copy) {
    const int64_t down = copy == 0   ? -1
                         : copy == 1 ? 1
                                     : 0,
                  right = copy == 2   ? -images.channels
                          : copy == 3 ? images.channels
                                      : 0;
    std::copy_n(images.labels.begin(), n, images.labels.begin() + (copy + 1) * n);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t y = 0; y < images.height; ++y) {
        for (int64_t x = 0; x < row; ++x) {
          const int64_t from_y = y - down, from_x = x - right;
          const bool inside = from_y >= 0 && from_y < images.height && from_x >= 0 && from_x < row;
          *to++ = inside ? images.pixels[static_cast<size_t>(i * size + from_y * row + from_x)] : uint8_t{0};
        }
      }
    }
  }
  images.count = 5 * n;
}

}  // namespace

Mixture mixture_of(const std::string& name) {
  if (name == "pattern1010") return pattern1010();
  if (name == "normal1d") return normal1d();
  if (name == "gaussians4") return gaussians4();
  if (name == "ring8") return ring8();
  if (name == "grid25") return grid25();
  fail<ConfigError>("--distribution: there is no '{}'", name);
}

ImageDataset load_config_images(const Config& config, Split split) {
  const int side = static_cast<int>(config.integer("image-size"));
  return load_images(config.text("data"), split, side, side, static_cast<int>(config.integer("channels")));
}

RealData load_real_data(const Config& config, DType real) {
  if (config.has("distribution")) return load_points(config, real);
  ImageDataset images = load_config_images(config, Split::train);
  leave_out(images, config.integer("holdout"), config.text("data"));
  const bool labelled = config.has("shifts");
  if (labelled) check_labels(images, config.text("data"));
  if (labelled && config.integer("shifts") == 1) add_shifts(images);
  if (images.count > kMaxRows) fail<DataError>("{}: {} images are too many", config.text("data"), images.count);
  RealData data;
  data.table = {DType::u8, {images.count, images.height, images.width, images.channels}};
  data.bytes.resize(images.pixels.size());
  std::memcpy(data.bytes.data(), images.pixels.data(), images.pixels.size());
  if (labelled) data.labels.assign(images.labels.begin(), images.labels.end());
  data.description =
      fmt::format("{}: {} images of {}x{}x{}", config.text("data"), images.count, images.height, images.width, images.channels);
  return data;
}

Value real_batch(const RealData& data, Value table, Value seed, Value step, int64_t batch, int64_t draw, int64_t draws_per_step) {
  const PathScope scope(table.graph(), "real_" + std::to_string(draw));
  IndexDraw d{.count = batch, .population = data.table.shape[0], .replacement = data.replacement};
  if (!data.replacement) {
    d.draw = draw;
    d.draws_per_step = draws_per_step;
    d.stream = "real/epochs";
  }
  const Value rows = gather(table, random_indices(seed, step, d));
  if (!data.fresh) return rows;
  const Value noise = data.normal_noise ? random_normal(seed, step, 0.0, data.noise_scale, rows.shape())
                                        : random_uniform(seed, step, 0.0, data.noise_scale, rows.shape());
  return add(rows, noise);
}

std::vector<double> real_points(const RealData& data, const Config& config, int64_t count) {
  const int64_t rows = data.fresh ? count : std::min<int64_t>(count, data.table.shape[0]);
  const auto values = sample(mixture_of(config.text("distribution")), rows, static_cast<uint64_t>(config.integer("seed")));
  return {values.begin(), values.end()};
}

}  // namespace forger
