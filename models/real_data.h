// The real side of a GAN: where batches of real samples come from, as data and as graph nodes.
#pragma once

#include <cstddef>

#include "datasets/image_dataset.h"
#include "datasets/mixture.h"
#include "engine/graph/graph.h"
#include "models/config.h"

namespace forger {

/// A table of rows that the graph gathers from, and how a batch is made of them.
struct RealData {
  TensorType table;              // u8 images [M,H,W,C], or real points [M,D], or centres of a mixture [modes,D]
  std::vector<std::byte> bytes;  // its contents
  bool fresh = false;            // rows are centres: add noise, draw every batch anew
  bool replacement = true;       // draw rows with replacement, else walk through epochs
  bool normal_noise = true;      // fresh: normal, else uniform in [0, 1)
  double noise_scale = 0;        // fresh
  int64_t stack = 1;             // rows that are stacked as channels of one sample
  int64_t classes = 0;           // of a conditional GAN; 0: none
  TensorType label_table;        // [M, classes], one-hot rows
  std::vector<std::byte> label_bytes;
  std::string description;           // one line for the log
  std::vector<int32_t> labels = {};  // of a classifier's images: one per row of the table

  Shape sample_shape() const {
    Shape shape{table.shape.begin() + 1, table.shape.end()};
    shape.back() *= stack;
    return shape;
  }
};

/// The synthetic distribution of that name. Throws ConfigError.
Mixture mixture_of(const std::string& name);

/// The images of one split of a config's "data", in the size that it asks for (of stacked ones: the layers). Throws
/// DataError, ConfigError.
ImageDataset load_config_images(const Config& config, Split split);

/// The last "holdout" images of the training set, which training leaves out. Throws as load_config_images does.
ImageDataset held_out_images(const Config& config);

/// Samples in memory as data that training walks through in epochs: `values` holds rows of the shape `sample`, one after
/// another ([D] points, or [H,W,C] images in [-1, 1]). Throws ShapeError unless they fill at least one row, evenly.
RealData data_of(const std::vector<float>& values, const Shape& sample, DType real = DType::f32);

/// Loads what the config's "data" (a folder of images) or "distribution" asks for, with labels if "conditional" does: those
/// of the images, or the modes of a distribution. Throws DataError, ConfigError.
RealData load_real_data(const Config& config, DType real = DType::f32);

/// The data as inputs of a graph: "data" and, with classes, "labels".
struct DataInputs {
  Value table, labels;
};
DataInputs data_inputs(Graph& graph, const RealData& data);

/// The random numbers of a step, and which of its `draws_per_step` batches is meant.
struct BatchDraw {
  Value seed, step;
  int64_t batch = 1, draw = 0, draws_per_step = 1;
};
struct RealBatch {
  Value samples, labels;  // [batch, sample...], one-hot [batch, classes] or none
};
RealBatch real_batch(const RealData& data, const DataInputs& inputs, const BatchDraw& draw);

/// The first images as the network sees them, [at most count, H, W, C] in [-1, 1].
std::vector<float> real_images(const RealData& data, int64_t count);

/// The same of the first held-out images; empty without "holdout".
std::vector<float> held_out_samples(const Config& config, int64_t count);

/// `count` real samples [count, D] of a distribution as doubles, for pictures and distances: all of a finite table's
/// rows if there are fewer.
std::vector<double> real_points(const RealData& data, const Config& config, int64_t count);

}  // namespace forger
