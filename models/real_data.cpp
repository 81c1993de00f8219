#include "models/real_data.h"

#include <algorithm>
#include <cstring>
#include <numeric>

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

/// One-hot rows of labels below config's "classes".
template <class Label>
void set_labels(RealData& data, const Config& config, const std::vector<Label>& labels, const std::string& where, DType real) {
  data.classes = config.integer("classes");
  std::vector<float> rows(labels.size() * static_cast<size_t>(data.classes), 0.f);  // [M, classes]
  const int64_t needed = *std::max_element(labels.begin(), labels.end()) + int64_t{1};
  if (needed > data.classes) {
    fail<ConfigError>("--classes: {} of them, but {} has labels up to {}; give --classes {}", data.classes, where, needed - 1,
                      needed);
  }
  for (size_t i = 0; i < labels.size(); ++i) rows[i * static_cast<size_t>(data.classes) + labels[i]] = 1;
  data.label_table = {real, {static_cast<int64_t>(labels.size()), data.classes}};
  data.label_bytes = real == DType::f64 ? bytes_as<double>(rows) : bytes_as<float>(rows);
}

bool is_conditional(const Config& config) {
  return config.text("conditional") != "none";
}

RealData load_points(const Config& config, DType real) {
  const std::string& name = config.text("distribution");
  const Mixture mixture = mixture_of(name);
  const int64_t rows = config.integer("data-size");
  const auto seed = static_cast<uint64_t>(config.integer("seed"));
  const bool fresh = rows == 0;
  RealData data = data_of(fresh ? mixture.centers : sample(mixture, rows, seed), {mixture.dims}, real);
  data.fresh = data.replacement = fresh;
  data.normal_noise = mixture.noise == Mixture::Noise::normal;
  data.noise_scale = static_cast<double>(mixture.scale);
  data.description = data.fresh ? fmt::format("{}: new samples in every batch", name) : fmt::format("{}: {} samples", name, rows);
  if (is_conditional(config)) {
    std::vector<uint32_t> modes(static_cast<size_t>(mixture.modes()));
    std::iota(modes.begin(), modes.end(), 0);  // fresh: every row of the table is a centre
    set_labels(data, config, data.fresh ? modes : sample_modes(mixture, rows, seed), name, real);
  }
  return data;
}

int64_t stack_of(const Config& config) {
  return config.has("stack") ? config.integer("stack") : 1;
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

RealData table_of(const ImageDataset& images, const Config& config) {
  RealData data;
  data.stack = stack_of(config);
  data.table = {DType::u8, {images.count, images.height, images.width, images.channels}};
  data.bytes.resize(images.pixels.size());
  std::memcpy(data.bytes.data(), images.pixels.data(), images.pixels.size());
  return data;
}

RealData load_pictures(const Config& config, DType real) {
  const std::string& folder = config.text("data");
  ImageDataset images = load_config_images(config, Split::train);
  leave_out(images, config.integer("holdout"), folder);
  const bool of_classifier = config.has("shifts");
  if (of_classifier) check_labels(images, folder);
  if (of_classifier && config.integer("shifts") == 1) add_shifts(images);
  if (images.count > kMaxRows) fail<DataError>("{}: {} images are too many", folder, images.count);
  RealData data = table_of(images, config);
  data.description = fmt::format("{}: {} images of {}x{}x{}", folder, images.count, images.height, images.width, images.channels);
  if (data.stack > 1) data.description += fmt::format(", {} at random stacked as channels", data.stack);
  if (of_classifier) {
    data.labels.assign(images.labels.begin(), images.labels.end());
  } else if (is_conditional(config)) {
    if (images.labels.empty()) {
      fail<ConfigError>("--conditional: {} has no labels; leave it out, or give --data a folder of IDX files with labels",
                        folder);
    }
    set_labels(data, config, images.labels, folder, real);
  }
  return data;
}

}  // namespace

RealData data_of(const std::vector<float>& values, const Shape& sample, DType real) {
  const int64_t size = num_elements(sample), count = static_cast<int64_t>(values.size());
  if (size == 0 || count == 0 || count % size != 0) {
    fail<ShapeError>("data: {} numbers do not fill rows of {}", count, to_string(sample));
  }
  RealData data;
  data.table = {real, sample};
  data.table.shape.insert(data.table.shape.begin(), count / size);
  data.bytes = real == DType::f64 ? bytes_as<double>(values) : bytes_as<float>(values);
  data.replacement = false;
  data.description = fmt::format("{} samples of {}", count / size, to_string(sample));
  return data;
}

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
  const int64_t stack = stack_of(config), channels = config.integer("channels");
  if (channels % stack != 0) {
    fail<ConfigError>("--stack: {} images do not fill {} channels; give --channels {}", stack, channels, stack);
  }
  return load_images(config.text("data"), split, side, side, static_cast<int>(channels / stack));
}

ImageDataset held_out_images(const Config& config) {
  ImageDataset images = load_config_images(config, Split::train);
  const int64_t first = images.count - config.integer("holdout");
  const int64_t size = images.height * images.width * images.channels;
  images.pixels.erase(images.pixels.begin(), images.pixels.begin() + first * size);
  if (!images.labels.empty()) images.labels.erase(images.labels.begin(), images.labels.begin() + first);
  images.count -= first;
  return images;
}

RealData load_real_data(const Config& config, DType real) {
  return config.has("distribution") ? load_points(config, real) : load_pictures(config, real);
}

DataInputs data_inputs(Graph& graph, const RealData& data) {
  DataInputs inputs;
  inputs.table = graph.input("data", data.table);
  if (data.classes > 0) inputs.labels = graph.input("labels", data.label_table);
  return inputs;
}

RealBatch real_batch(const RealData& data, const DataInputs& inputs, const BatchDraw& draw) {
  const PathScope scope(inputs.table.graph(), "real_" + std::to_string(draw.draw));
  IndexDraw d{.count = draw.batch, .population = data.table.shape[0], .replacement = data.replacement};
  if (!data.replacement) {
    d.draw = draw.draw;
    d.draws_per_step = draw.draws_per_step;
    d.stream = "real/epochs";
  }
  const Value rows = random_indices(draw.seed, draw.step, d);
  RealBatch batch{gather(inputs.table, rows), {}};
  if (inputs.labels) batch.labels = gather(inputs.labels, rows);
  if (data.stack > 1) {
    std::vector<Value> layers{batch.samples};
    for (int64_t i = 1; i < data.stack; ++i) layers.push_back(gather(inputs.table, random_indices(draw.seed, draw.step, d)));
    batch.samples = concat(layers, 3);
  }
  if (!data.fresh) return batch;
  const Shape shape = batch.samples.shape();
  const Value noise = data.normal_noise ? random_normal(draw.seed, draw.step, 0.0, data.noise_scale, shape)
                                        : random_uniform(draw.seed, draw.step, 0.0, data.noise_scale, shape);
  batch.samples = add(batch.samples, noise);
  return batch;
}

std::vector<float> real_images(const RealData& data, int64_t count) {
  const Shape shape = data.sample_shape();
  const int64_t channels = data.table.shape[3], pixels = shape[0] * shape[1];
  const int64_t n = std::min(count, data.table.shape[0] / data.stack);
  const auto* bytes = reinterpret_cast<const uint8_t*>(data.bytes.data());
  std::vector<float> images;
  for (int64_t i = 0; i < n * pixels; ++i) {
    for (int64_t s = 0; s < data.stack; ++s) {
      const int64_t row = i / pixels * data.stack + s;
      for (int64_t c = 0; c < channels; ++c) {
        images.push_back(static_cast<float>(bytes[(row * pixels + i % pixels) * channels + c]) / 127.5f - 1.f);
      }
    }
  }
  return images;
}

std::vector<float> held_out_samples(const Config& config, int64_t count) {
  if (!config.has("holdout") || config.integer("holdout") == 0) return {};
  return real_images(table_of(held_out_images(config), config), count);
}

std::vector<double> real_points(const RealData& data, const Config& config, int64_t count) {
  const int64_t rows = data.fresh ? count : std::min<int64_t>(count, data.table.shape[0]);
  const auto values = sample(mixture_of(config.text("distribution")), rows, static_cast<uint64_t>(config.integer("seed")));
  return {values.begin(), values.end()};
}

}  // namespace forger
