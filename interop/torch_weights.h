// Weights under the names and in the layouts of PyTorch: out and in again.
//
//   G/dense_1/kernel                 [in, out]     G.dense_1.weight               [out, in]
//   G/conv2d_1/kernel                [K, R, S, C]  G.conv2d_1.weight              [K, C, R, S]
//   G/conv2d_transpose_1/kernel      [K, R, S, C]  G.conv2d_transpose_1.weight    [K, C, R, S]   K = channels in
//   G/batch_normalization_1/gamma    [C]           G.batch_normalization_1.weight [C]
//   .../beta, running_mean, ..._var  [C]           ....bias, running_mean, running_var
#pragma once

#include "training/checkpoint.h"

namespace forger {

/// Writes the weights of both networks (no optimizer's state) as safetensors; its metadata hold the config and the step.
/// Throws DataError if it cannot be written.
void export_torch_weights(const std::string& path, const Checkpoint& checkpoint);

/// Copies weights from such a file into `variables`. A network of which the file has no tensor stays as it is: returns the
/// names of those that were read. Throws DataError for a tensor that is missing, superfluous, of another shape or not F32, or
/// not finite.
std::vector<std::string> import_torch_weights(const std::string& path, const Config& config, VariableStore& variables);

/// The config that an exported file carries, as JSON; "" if it has none.
std::string config_of_weights(const std::string& path);

}  // namespace forger
