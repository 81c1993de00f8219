// A case is one op on one problem size. Tests, `forger verify` and benchmarks share them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/providers/provider.h"
#include "engine/runtime/device.h"

namespace forger {

/// One input of a case and the numbers that fill it.
struct CaseInput {
  enum class Kind { real, indices, labels, bytes, seed, step };
  Shape shape;
  Kind kind = Kind::real;
  double low = -1, high = 1;  // real: uniform; indices and labels: integers in [0, high)
};

struct Case {
  std::string op;
  std::string name;  // "k4 s2 odd padding"
  std::vector<CaseInput> inputs = {};
  /// Builds the op on its inputs; the last node added is the one under test.
  std::function<void(std::span<const Value>)> build = {};
  /// Only sums and products: on small integers every provider must be exact.
  bool exact_on_integers = false;
  /// Smooth at these inputs: derivatives of first and second order are checked against differences.
  bool check_gradients = true;
  double atol = 1e-6;
};

/// Cases of every op, in the order of the ops' names.
const std::vector<Case>& all_cases();

// One list per file of this folder.
void add_conv2d_cases(std::vector<Case>& cases);
void add_linear_cases(std::vector<Case>& cases);
void add_epilogue_cases(std::vector<Case>& cases);
void add_elementwise_cases(std::vector<Case>& cases);
void add_shape_cases(std::vector<Case>& cases);
void add_pool_cases(std::vector<Case>& cases);
void add_batch_norm_cases(std::vector<Case>& cases);
void add_random_cases(std::vector<Case>& cases);
void add_loss_cases(std::vector<Case>& cases);
void add_optimizer_cases(std::vector<Case>& cases);
void add_source_cases(std::vector<Case>& cases);
void add_program_cases(std::vector<Case>& cases);
void add_joined_cases(std::vector<Case>& cases);

enum class Fill { reals, integers };

/// Numbers for all inputs of a case as doubles that float can hold: a function of the case's name.
std::vector<std::vector<double>> make_inputs(const Case& c, Fill fill);

/// The case's graph: its inputs as graph inputs "0", "1", ...
Graph build_case(const Case& c, DType real);

/// Where a kernel runs. An emulated one finds its options behind the stream.
struct Place {
  Device* device = &host_device();
  Stream stream = nullptr;  // null: the device's
  Target target = {};
};

struct CaseVerdict {
  std::string provider = {}, kernel = {};
  std::string precision = {};   // of a product's operands
  std::string output = {};      // type of the first output
  double error = 0, bound = 0;  // of the worst element
  std::string problem = {};     // empty: passed
};

/// Runs every kernel of `provider` that supports the case's node, alone, on NaN-filled outputs between guard zones, and
/// compares with the reference in double. On reals the error may be as many times that of plain float32 loops as the
/// kernel promises (Accuracy: 2 unless stated), plus atol; on integers it must be zero, unless the kernel does not
/// promise that. Outputs that are not finite or are suspiciously all zero fail. Kernels that round their operands are
/// compared with the reference on rounded operands.
std::vector<CaseVerdict> check_case(const Case& c, const Provider& provider, Fill fill, const Place& place = {});

/// What one kernel makes of a case's inputs, output by output. Throws Error if it wrote where it may not.
std::vector<std::vector<double>> run_case(const Case& c, const Kernel& kernel, Fill fill, const Place& place = {});

/// The largest deviation of gradients() from central differences, relative to 1 + |derivative|, in double.
double gradient_error(const Case& c);
/// The same for the gradient of a random projection of the gradient.
double second_gradient_error(const Case& c);

}  // namespace forger
