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
  TensorType table;                  // u8 images [M,H,W,C], or real points [M,D], or centres of a mixture [modes,D]
  std::vector<std::byte> bytes;      // its contents
  bool fresh = false;                // rows are centres: add noise, draw every batch anew
  bool replacement = true;           // draw rows with replacement, else walk through epochs
  bool normal_noise = true;          // fresh: normal, else uniform in [0, 1)
  double noise_scale = 0;            // fresh
  std::string description;           // one line for the log
  std::vector<int32_t> labels = {};  // of a classifier's images: one per row of the table

  Shape sample_shape() const { return {table.shape.begin() + 1, table.shape.end()}; }
};

/// The synthetic distribution of that name. Throws ConfigError.
Mixture mixture_of(const std::string& name);

/// The images of one split of a config's "data", in the size that it asks for. Throws DataError.
ImageDataset load_config_images(const Config& config, Split split);

/// Loads what the config's "data" (a folder of images) or "distribution" asks for. Throws DataError, ConfigError.
RealData load_real_data(const Config& config, DType real = DType::f32);

/// A batch [batch, ...] of real samples. `table` is the graph's input of type data.table. The step draws
/// `draws_per_step` batches; this is number `draw`.
Value real_batch(const RealData& data, Value table, Value seed, Value step, int64_t batch, int64_t draw, int64_t draws_per_step);

/// `count` real samples [count, D] of a distribution as doubles, for pictures and distances: all of a finite table's
/// rows if there are fewer.
std::vector<double> real_points(const RealData& data, const Config& config, int64_t count);

}  // namespace forger
