#include "datasets/image_dataset.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "datasets/idx.h"
#include "datasets/image_file.h"
#include "datasets/shape_text.h"
#include "kernels/common/errors.h"

namespace forger {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxDatasetBytes = int64_t{16} << 30;
constexpr int64_t kMaxPictureBytes = int64_t{1} << 28;
constexpr int kMaxSide = 4096;

void require_folder(const std::string& folder) {
  std::error_code error;
  const fs::file_status status = fs::status(folder, error);
  if (!fs::exists(status)) fail<DataError>("{}: no such folder; give --data a folder of images", folder);
  if (!fs::is_directory(status)) fail<DataError>("{}: is no folder; give --data the folder that holds it", folder);
}

std::string folder_name(const std::string& folder) {
  fs::path path = fs::path(folder).lexically_normal();
  if (path.filename().empty()) path = path.parent_path();  // "mnist/" is "mnist"
  return path.filename().string();
}

const char* split_prefix(Split split) {
  return split == Split::train ? "train" : "t10k";
}

/// The file `<split>-<what>-idx<rank>-ubyte` under one of its usual spellings, if the folder has it.
std::optional<std::string> find_idx_file(const std::string& folder, Split split, const char* what, int rank) {
  for (const char* separator : {"-", "."}) {
    for (const char* ending : {"", ".gz"}) {
      const std::string file = fmt::format("{}-{}{}idx{}-ubyte{}", split_prefix(split), what, separator, rank, ending);
      const fs::path path = fs::path(folder) / file;
      std::error_code error;
      if (fs::is_regular_file(path, error)) return path.string();
    }
  }
  return std::nullopt;
}

std::string require_idx_file(const std::string& folder, Split split, const char* what, int rank) {
  const auto path = find_idx_file(folder, split, what, rank);
  if (!path) {
    fail<DataError>("{}: has no file {}-{}-idx{}-ubyte, plain or .gz", folder, split_prefix(split), what, rank);
  }
  return *path;
}

bool is_picture(const fs::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::tolower(c); });
  return ending == ".png" || ending == ".jpg" || ending == ".jpeg";
}

/// Sorted by the bytes of the path inside the folder: the same order on every machine, in every language.
std::vector<std::string> find_pictures(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  auto entry = fs::recursive_directory_iterator(folder, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    std::error_code ignored;  // a file that cannot be looked at is read below, where its error has its name
    if (is_picture(entry->path()) && !entry->is_directory(ignored)) paths.push_back(entry->path().generic_string());
  }
  if (error) fail<DataError>("{}: cannot list the folder: {}", folder, error.message());
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

std::string find_data_folder(const std::string& folder) {
  std::error_code error;
  if (folder.empty() || fs::path(folder).is_absolute() || fs::exists(folder, error)) return folder;
  std::vector<fs::path> roots;
  if (const fs::path binary = fs::read_symlink("/proc/self/exe", error); !error) {
    const fs::path beside = binary.parent_path().parent_path();
    roots = {beside.parent_path(), beside / "share/forger"};
  }
  for (const char* root : {FORGER_DATA_DIR, "/usr/share/forger"}) {
    if (std::find(roots.begin(), roots.end(), root) == roots.end()) roots.emplace_back(root);
  }
  std::string searched;
  for (const fs::path& root : roots) {
    const fs::path path = root / folder;
    if (fs::exists(path, error)) return path.string();
    searched += (searched.empty() ? "" : ", ") + path.string();
  }
  fail<DataError>("{}: no such folder, neither here nor at {}; give --data a folder of images", folder, searched);
}

ImageDataset load_mnist(const std::string& folder, Split split) {
  require_folder(folder);
  const std::string image_path = require_idx_file(folder, split, "images", 3);
  const std::string label_path = require_idx_file(folder, split, "labels", 1);
  IdxArray images = read_idx(image_path);
  IdxArray labels = read_idx(label_path);
  if (images.dims.size() != 3) {
    fail<DataError>("{}: has shape {}, expected images [count, height, width]", image_path, shape_text(images.dims));
  }
  if (labels.dims.size() != 1) {
    fail<DataError>("{}: has shape {}, expected labels [count]", label_path, shape_text(labels.dims));
  }
  if (labels.dims[0] != images.dims[0]) {
    fail<DataError>("{}: {} labels, expected {}, one for each image in {}; the files are not of one set", label_path,
                    labels.dims[0], images.dims[0], image_path);
  }
  return {images.dims[0],           images.dims[1],           images.dims[2],     1,
          std::move(images.values), std::move(labels.values), folder_name(folder)};
}

ImageDataset load_image_folder(const std::string& folder, int height, int width, int channels) {
  require_folder(folder);
  if (height < 1 || width < 1 || height > kMaxSide || width > kMaxSide) {
    fail<ConfigError>("{}: images of {} x {} pixels, expected 1 to {} on a side", folder, height, width, kMaxSide);
  }
  const std::vector<std::string> paths = find_pictures(folder);
  if (paths.empty()) fail<DataError>("{}: holds no .png, .jpg or .jpeg file", folder);
  const auto count = static_cast<int64_t>(paths.size());
  const int64_t image_bytes = int64_t{height} * width * channels;
  if (count > kMaxDatasetBytes / image_bytes) {
    fail<DataError>("{}: {} pictures of {} bytes each, expected at most {} bytes in all; use fewer or smaller ones", folder,
                    count, image_bytes, kMaxDatasetBytes);
  }
  ImageDataset set{count, height, width, channels, {}, {}, folder_name(folder)};
  set.pixels.reserve(static_cast<size_t>(count * image_bytes));
  for (const std::string& path : paths) {
    const Image image = crop_and_resize(decode_image(read_file(path, kMaxPictureBytes), channels, path), height, width);
    set.pixels.insert(set.pixels.end(), image.pixels.begin(), image.pixels.end());
  }
  return set;
}

ImageDataset load_images(const std::string& named, Split split, int height, int width, int channels) {
  const std::string folder = find_data_folder(named);
  require_folder(folder);
  // Either split tells that the folder is of this kind; load_mnist then names the file that is missing.
  if (find_idx_file(folder, Split::train, "images", 3) || find_idx_file(folder, Split::test, "images", 3)) {
    ImageDataset set = load_mnist(folder, split);
    if (set.height != height || set.width != width || set.channels != channels) {
      fail<DataError>(
          "{}: images of {} x {} x {}, expected {} x {} x {} (height, width, channels); choose a network of "
          "that size or a folder of pictures, which are resized",
          folder, set.height, set.width, set.channels, height, width, channels);
    }
    return set;
  }
  if (find_pictures(folder).empty()) {
    fail<DataError>(
        "{}: holds no images: neither {}-images-idx3-ubyte (plain or .gz) nor any .png, .jpg or .jpeg "
        "file; give --data a folder of images",
        folder, split_prefix(split));
  }
  return load_image_folder(folder, height, width, channels);
}

}  // namespace forger
