// A provider is an ordered table of kernels. For every node the engine asks the providers of a device in order, and
// the first kernel that supports the node runs it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/graph/graph.h"
#include "kernels/cuda/multiprocessors.h"
#include "kernels/cuda/stream.h"

namespace forger {

/// Arithmetic of matrix products and convolutions; everything else is f32 in all three.
enum class Precision : uint8_t {
  fp32,
  tf32,  // operands rounded to 10 mantissa bits, products and sums in f32
  bf16,  // operands rounded to 7 mantissa bits, products and sums in f32; weights and values stay f32
};
const char* name_of(Precision precision);  // "fp32", ...
/// Throws ConfigError for any other name.
Precision parse_precision(const std::string& name);

/// Plans of kernels that were timed on a device: by problem_key, what Kernel::plans of the kernel said.
using Tuning = std::map<std::string, std::string>;

/// The emulator keeps a stack for every thread of blocks that wait for each other.
inline constexpr int kEmulatedTogether = 8;

/// What kernels are chosen and made ready for.
struct Target {
  Precision precision = Precision::fp32;
  Multiprocessors multiprocessors = {};  // of the GPU; an H200's where none is present
  int memory_slack = 0;                  // of the memory plan: launches run side by side only if they share no memory
  bool fuse = true;                      // the graph's passes run; without them every node is a launch of its own
  bool fuse_statistics = false;          // convolutions make a batch norm's statistics: their tiles are in shared memory
  int together = kEmulatedTogether;      // multiprocessors that blocks which wait for each other may fill; 0: none may wait
  bool fuse_layer_grads = false;         // the gradients of a layer are one launch: there is a kernel that makes them
  std::shared_ptr<const Tuning> tuning = nullptr;  // in place of the kernels' own estimates, where it knows a problem
};

/// A node with its types, as kernels see it.
class NodeView {
 public:
  NodeView(const Graph& graph, const Node& node, const Target& target = {}) : graph_(graph), node_(node), target_(target) {}
  const Node& node() const { return node_; }
  const Attributes& attributes() const { return node_.attributes; }
  size_t num_inputs() const { return node_.inputs.size(); }
  size_t num_outputs() const { return node_.outputs.size(); }
  const TensorType& input(size_t i) const { return graph_.type(node_.inputs[i]); }
  const TensorType& output(size_t i) const { return graph_.type(node_.outputs[i]); }
  DType real() const { return graph_.real(); }
  const Target& target() const { return target_; }

 private:
  const Graph& graph_;
  const Node& node_;
  Target target_;
};

/// Op, precision, types and attributes: nodes with equal keys are the same work. A random stream does not change that.
std::string problem_key(const NodeView& node);

/// Where a kernel reads and writes. Pointers are aligned to 64 bytes; a GPU's kernels are only queued on the stream.
struct KernelArgs {
  std::span<void*const> inputs, outputs;
  void* workspace;
  Stream stream = nullptr;
  /// All zero when a kernel starts, and to be left so; behind them its flags, with any value. No other launch has the same ones.
  uint32_t* counters = nullptr;

  template <class T>
  const T* in(size_t i) const {
    return static_cast<const T*>(inputs[i]);
  }
  template <class T>
  T* out(size_t i) const {
    return static_cast<T*>(outputs[i]);
  }
};

/// A kernel made ready for one node: sizes are fixed, what can be computed ahead has been.
struct PreparedKernel {
  std::function<void(const KernelArgs&)> run;
  size_t workspace_bytes = 0;
  size_t counters = 0;  // how many it counts finished blocks with (kernels/cuda/last_block.h)
  size_t flags = 0;     // how many its blocks wait for (kernels/cuda/grid_flag.h)
  /// For `forger explain`: how the work is cut, where there was a choice.
  std::string plan = {};

  /// Its blocks wait for each other, so that all must be under way at once: two such launches must not run side by side, for each
  /// could keep the other's blocks out for ever.
  bool cooperative() const { return flags > 0; }
  /// Words of memory for both.
  size_t words() const { return counters + flags; }
};

/// What a kernel promises against the reference in double.
struct Accuracy {
  double factor = 2;              // error at most this many times that of plain float32 loops
  bool exact_on_integers = true;  // sums of products of small integers are exact
  /// To what the first two inputs are rounded before anything else: the bound then holds for the rounded inputs. Of a
  /// block_program: the first two inputs of each product in it.
  Precision operands = Precision::fp32;
  /// A program's nodes are run by kernels of their own, whose promises about operands count.
  bool of_nodes = false;
  /// Further error, as a part of the largest result: for libraries that do not say how they round operands.
  double of_largest = 0;
};

struct Kernel {
  std::string_view op;
  std::string_view name;  // what `forger explain` shows
  /// Why this kernel cannot run the node; nullopt if it can.
  std::optional<std::string> (*declines)(const NodeView&);
  PreparedKernel (*prepare)(const NodeView&);
  Accuracy accuracy = {};
  /// Runs only where the target asks for this precision; none: in all.
  std::optional<Precision> precision = std::nullopt;
  /// Ways to run the node that autotune may time, the best by estimate first: prepare follows Target::tuning. Null: one way.
  std::vector<std::string> (*plans)(const NodeView&) = nullptr;
};

struct Provider {
  std::string_view name;
  std::span<const Kernel> kernels;
  enum class Place : uint8_t { cpu, emulator, gpu } place = Place::cpu;  // on what device its kernels run
  std::string_view missing = {};  // why it has no kernels in this build, and how to get them
};
const char* name_of(Provider::Place place);  // "a CPU", "the emulator", "a GPU"

/// Plain loops in the graph's own real type: the oracle. Has a kernel for every op.
const Provider& reference_provider();
/// oneDNN, direct, Winograd and vectorised kernels, f32 only.
const Provider& onednn_provider();

/// The hand-written CUDA kernels run on the CPU, thread by thread: for tests, and for `explain` where there is no GPU.
/// Without kernels in a build that leaves the emulator out (FORGER_EMULATION).
namespace emulated {
const Provider& provider();
}
/// The hand-written CUDA kernels on the GPU. A build without the CUDA toolkit has the emulator's rows here, to explain what a GPU
/// would run.
namespace cuda {
const Provider& provider();
}

/// cuDNN and cuBLASLt, tuned when a kernel is prepared: the baseline. Only in builds with FORGER_HAVE_VENDOR.
namespace vendor {
const Provider& provider();
}

/// All providers, best first for each place.
std::span<const Provider* const> all_providers();
/// "onednn, reference": those that run there.
std::string provider_names(Provider::Place place);
/// Looks providers up by name: "onednn,reference". Throws ConfigError that lists the known names.
std::vector<const Provider*> parse_providers(const std::string& names);

/// The kernel chosen for a node, and why the ones before it declined.
struct Choice {
  const Provider* provider = nullptr;
  const Kernel* kernel = nullptr;
  std::vector<std::string> declined;  // "conv2d_winograd: stride is 2"
};
/// Throws Error when no provider has a kernel for the node.
Choice choose_kernel(const NodeView& node, std::span<const Provider* const> providers);

}  // namespace forger
