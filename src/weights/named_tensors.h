// The tensors of a model by name, with the questions that recognition asks.
#pragma once

#include <spdlog/fmt/fmt.h>
#include <torch/torch.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "raven/core/error.h"

namespace raven::weights {

using Shape = std::vector<std::int64_t>;

class NamedTensors {
 public:
  NamedTensors(std::vector<std::pair<std::string, torch::Tensor>> all, std::string source)
      : all_(std::move(all)), source_(std::move(source)) {
    for (const auto& [name, tensor] : all_) shapes_.emplace(name, tensor.sizes().vec());
  }

  [[nodiscard]] const auto& all() const { return all_; }
  [[nodiscard]] const auto& shapes() const { return shapes_; }
  [[nodiscard]] bool has(const std::string& name) const { return shapes_.count(name) != 0; }

  /// Throws when the name is not there or has fewer dimensions.
  [[nodiscard]] std::int64_t size(const std::string& name, std::size_t dimension) const {
    const auto found = shapes_.find(name);
    if (found == shapes_.end() || found->second.size() <= dimension) {
      refuse(fmt::format("lacks '{}' of at least {} dimensions", name, dimension + 1));
    }
    return found->second[dimension];
  }
  [[nodiscard]] std::int64_t blocks(const std::string& prefix, const std::string& inside) const {
    std::int64_t count = 0;
    while (has(fmt::format("{}{}.{}", prefix, count, inside))) ++count;
    return count;
  }
  [[noreturn]] void refuse(const std::string& problem) const {
    throw CheckpointError(source_ + ": " + problem);
  }

 private:
  std::vector<std::pair<std::string, torch::Tensor>> all_;
  std::map<std::string, Shape> shapes_;
  std::string source_;
};

}  // namespace raven::weights
