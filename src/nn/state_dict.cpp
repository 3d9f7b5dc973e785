#include "raven/nn/state_dict.h"

#include <algorithm>
#include <map>

#include "raven/core/error.h"

namespace raven::nn {
namespace {

void collect(const torch::nn::Module& module, const std::string& prefix, StateDict& state) {
  for (const auto& item : module.named_parameters(/*recurse=*/false)) {
    state.emplace_back(prefix + item.key(), item.value());
  }
  for (const auto& item : module.named_buffers(/*recurse=*/false)) {
    state.emplace_back(prefix + item.key(), item.value());
  }
  for (const auto& child : module.named_children()) {
    collect(*child.value(), prefix + child.key() + ".", state);
  }
}

/// At most this many names are spelled out in a message.
constexpr std::size_t kMaxListed = 8;

std::string list(const std::vector<std::string>& names) {
  const auto shown = std::min(names.size(), kMaxListed);
  auto text =
      fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<long>(shown), ", "));
  if (shown < names.size()) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

}  // namespace

StateDict state_dict(const torch::nn::Module& module) {
  StateDict state;
  collect(module, "", state);
  return state;
}

void load_state_dict(torch::nn::Module& module, const StateDict& state, const std::string& source) {
  std::map<std::string, torch::Tensor> given(state.begin(), state.end());
  const auto own = state_dict(module);
  std::vector<std::string> missing, unexpected, misshapen;
  for (const auto& [name, tensor] : own) {
    const auto found = given.find(name);
    if (found == given.end()) {
      missing.push_back(name);
    } else if (found->second.sizes() != tensor.sizes()) {
      misshapen.push_back(fmt::format("{} [{}] instead of [{}]", name,
                                      fmt::join(found->second.sizes(), ", "),
                                      fmt::join(tensor.sizes(), ", ")));
    }
  }
  std::map<std::string, torch::Tensor> known(own.begin(), own.end());
  for (const auto& [name, tensor] : given) {
    if (known.count(name) == 0) unexpected.push_back(name);
  }
  std::string problems;
  if (!missing.empty()) problems += "; missing: " + list(missing);
  if (!unexpected.empty()) problems += "; unexpected: " + list(unexpected);
  if (!misshapen.empty()) problems += "; of another shape: " + list(misshapen);
  if (!problems.empty()) {
    throw CheckpointError(fmt::format("{} does not fit this model{}", source, problems));
  }
  torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : own) {
    auto target = tensor;
    target.copy_(given.at(name));
  }
}

}  // namespace raven::nn
