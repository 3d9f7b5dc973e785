// Named parameters and buffers of a module in the order of the published files.
#pragma once

#include <torch/torch.h>

#include <string>
#include <utility>
#include <vector>

namespace raven::nn {

using StateDict = std::vector<std::pair<std::string, torch::Tensor>>;

/// Parameters, then buffers of each module, then its children in order of registration. The tensors
/// are the module's own, not copies.
StateDict state_dict(const torch::nn::Module& module);

/// Copies `state` into the module. Throws CheckpointError, before anything is changed, with every
/// name that is missing, unexpected or of another shape; `source` names the file in that message.
void load_state_dict(torch::nn::Module& module, const StateDict& state, const std::string& source);

}  // namespace raven::nn
