// Sets of images, wherever they come from: all of one size, in memory, as bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace forger {

struct ImageDataset {
  int64_t count = 0, height = 0, width = 0, channels = 0;
  std::vector<uint8_t> pixels;  // [count, height, width, channels]
  std::vector<uint8_t> labels;  // [count], or empty if the images have none
  std::string name;             // of its folder
};

enum class Split { train, test };

/// Where a folder of data is: as it is named or, for a relative name that is not in the working directory, the first of
/// these that exists. A run's config can thus keep "datasets/mnist" wherever it is used.
///
///   checkout     ../../FOLDER, seen from the running binary's folder: build/release/forger
///   installed    ../share/forger/FOLDER, likewise: PREFIX/bin/forger
///   library      FOLDER in the data directory that Forger was configured to install to, then in /usr/share/forger
///
/// Throws DataError that names all of these places.
std::string find_data_folder(const std::string& folder);

/// Loads the images and labels of one split from a folder with MNIST's four files or those of a set in the
/// same format, such as Fashion-MNIST: train-images-idx3-ubyte and so on, plain or .gz, also spelled
/// train-images.idx3-ubyte. Throws DataError if a file is missing or damaged or if there are not as many
/// labels as images.
ImageDataset load_mnist(const std::string& folder, Split split);

/// Loads every .png, .jpg and .jpeg file in a folder and the folders in it, sorted by path, each cropped
/// around its centre to the aspect of height x width and resized. channels is 1 (grey) or 3 (colour). There
/// are no labels. Throws DataError, which names the first bad file; also if there is no picture or if all
/// together need more than 16 GiB.
ImageDataset load_image_folder(const std::string& folder, int height, int width, int channels);

/// Loads whichever of both the folder is. MNIST's files must have the size that is asked for; pictures, which
/// are not divided in train and test, get it. Throws DataError that tells what was looked for if the folder
/// is neither. The folder is looked for with find_data_folder.
ImageDataset load_images(const std::string& folder, Split split, int height, int width, int channels);

}  // namespace forger
