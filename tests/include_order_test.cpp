// Includes run one way; only providers and runtime see kernels; files stay readable.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>

namespace fs = std::filesystem;

namespace {

/// What each folder may include besides itself.
const std::map<std::string, std::set<std::string>> kAllowed = {
    {"kernels/common", {}},
    {"kernels/reference", {"kernels/common"}},
    {"kernels/threads", {"kernels/common"}},
    {"kernels/simd", {"kernels/common", "kernels/threads"}},
    {"kernels/direct", {"kernels/common", "kernels/threads"}},
    {"kernels/winograd", {"kernels/common", "kernels/threads"}},
    {"kernels/onednn", {"kernels/common", "kernels/threads"}},
    {"kernels/emulation", {"kernels/common"}},
    {"kernels/cuda", {"kernels/common", "kernels/emulation"}},
    {"kernels/vendor", {"kernels/common", "kernels/cuda/check.h", "kernels/cuda/stream.h", "kernels/cuda/vendor_glue.h"}},
    {"datasets", {"kernels/common"}},
    {"engine/graph", {"engine/ops", "kernels/common"}},
    {"engine/ops", {"engine/graph", "engine/autodiff", "kernels/common"}},
    {"engine/autodiff", {"engine/graph", "engine/ops", "kernels/common"}},
    {"engine/passes", {"engine/graph", "engine/ops", "kernels/common"}},
    {"engine/memory", {"engine/graph", "engine/ops", "kernels/common"}},
    {"engine/providers",
     {"engine/graph", "engine/ops", "kernels/common", "kernels/reference", "kernels/simd", "kernels/direct", "kernels/winograd",
      "kernels/onednn", "kernels/cuda", "kernels/vendor"}},
    {"engine/runtime",
     {"engine/graph", "engine/ops", "engine/passes", "engine/memory", "engine/providers", "kernels/common", "kernels/reference",
      "kernels/cuda/check.h", "kernels/cuda/multiprocessors.h", "kernels/cuda/stream.h", "kernels/emulation/grid.h"}},
    {"models", {"engine", "datasets", "kernels/common", "kernels/reference"}},
    {"evaluation", {"models", "engine", "datasets", "kernels/common", "kernels/threads"}},
    {"training", {"evaluation", "models", "engine", "datasets", "kernels/common", "kernels/threads"}},
    {"interop", {"training", "models", "engine", "datasets", "kernels/common"}},
    {"tests/cases", {"engine", "kernels/common", "kernels/cuda/stream.h"}},
    {"cli", {"bench", "interop", "training", "evaluation", "models", "engine", "datasets", "tests/cases", "kernels"}},
    {"bench", {"training", "evaluation", "models", "engine", "datasets", "tests/cases", "kernels"}},
};

bool is_below(const std::string& path, const std::string& folder) {
  return path == folder || path.rfind(folder + "/", 0) == 0;  // or one header
}

}  // namespace

TEST_CASE("includes run one way through the layers") {
  const fs::path root = FORGER_SOURCE_DIR;
  int files = 0;
  for (const auto& [folder, allowed] : kAllowed) {
    CAPTURE(folder);
    REQUIRE(fs::is_directory(root / folder));
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string name = entry.path().extension();
      if (name != ".h" && name != ".cpp" && name != ".cu") continue;
      ++files;
      std::ifstream in(entry.path());
      for (std::string line; std::getline(in, line);) {
        if (line.rfind("#include \"", 0) != 0) continue;
        const std::string included = line.substr(10, line.find('"', 10) - 10);
        bool fine = is_below(included, folder);
        for (const std::string& a : allowed) fine = fine || is_below(included, a);
        CHECK_MESSAGE(fine, entry.path().string() << " includes " << included);
      }
    }
  }
  CHECK(files > 100);
}

TEST_CASE("test names have no semicolon, at which ctest would cut them and run nothing") {
  int names = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(FORGER_SOURCE_DIR) / "tests")) {
    if (entry.path().extension() != ".cpp") continue;
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);) {
      if (line.rfind("TEST_CASE(", 0) != 0) continue;
      ++names;
      CHECK_MESSAGE(line.find(';') == std::string::npos, entry.path().string() << ": " << line);
    }
  }
  CHECK(names > 100);
}
