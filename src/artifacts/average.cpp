#include "raven/artifacts/average.h"

#include "raven/artifacts/model_source.h"
#include "raven/core/error.h"

namespace raven::artifacts {
namespace {

namespace fs = std::filesystem;

ModelSource open(const fs::path& path) {
  auto source = open_source(path, Wanted::kCheckpoint);
  if (!source.is_archive()) return source;
  throw CheckpointError(
      fmt::format("{}: is a file of PyTorch; raven import makes one of it that can be averaged",
                  path.string()));
}

}  // namespace

Mean average(const std::vector<fs::path>& files) {
  if (files.empty()) throw ConfigError("there are no checkpoints to average");
  auto first = open(files.front());
  auto mean = std::move(first.weights.content);
  auto last_state = first.state;
  std::vector<torch::ScalarType> types;
  for (auto& [name, tensor] : mean.tensors) {
    types.push_back(tensor.scalar_type());
    tensor = tensor.is_floating_point() ? tensor.to(torch::kFloat32, false, /*copy=*/true)
                                        : tensor.to(torch::kInt64, false, /*copy=*/true);
  }
  for (std::size_t f = 1; f < files.size(); ++f) {
    auto source = open(files[f]);
    const auto file = std::move(source.weights.content);
    last_state = std::move(source.state);
    const auto refuse = [&](const std::string& name, const std::string& why) {
      throw CheckpointError(fmt::format("{}: tensor '{}' {} {}; average checkpoints of one run",
                                        files[f].string(), name, why, files.front().string()));
    };
    std::map<std::string, torch::Tensor> given(file.tensors.begin(), file.tensors.end());
    for (std::size_t i = 0; i < mean.tensors.size(); ++i) {
      auto& [name, sum] = mean.tensors[i];
      const auto found = given.find(name);
      if (found == given.end()) refuse(name, "is missing, but is in");
      if (found->second.sizes() != sum.sizes()) refuse(name, "has another shape than in");
      if (found->second.scalar_type() != types[i]) refuse(name, "has another type than in");
      sum += found->second.to(sum.scalar_type());
      given.erase(found);
    }
    if (!given.empty()) refuse(given.begin()->first, "is not in");
  }
  const auto count = static_cast<std::int64_t>(files.size());
  for (std::size_t i = 0; i < mean.tensors.size(); ++i) {
    auto& tensor = mean.tensors[i].second;
    tensor = tensor.is_floating_point() ? tensor / static_cast<double>(count)
                                        : torch::floor_divide(tensor, count);
    tensor = tensor.to(types[i]);
  }
  Mean result{.file = std::move(mean), .first = first.path, .first_state = std::move(first.state)};
  if (last_state) result.last_step = last_state->step;
  return result;
}

}  // namespace raven::artifacts
