// The pickle of a dict of tensors, by instructions that run_pickle follows (and Python's
// torch.load(weights_only=True) as well).
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>
#include <vector>

namespace raven::weights {

/// A tensor as a view of a storage: the storage's key in the archive and its bytes.
struct PlacedTensor {
  std::string name;
  c10::ScalarType type = c10::ScalarType::Undefined;
  std::string storage;
  std::uint64_t storage_bytes = 0;
  std::int64_t offset = 0;  // elements
  std::vector<std::int64_t> sizes, strides;
};

/// {name: tensor, ...} in that order. Throws InternalError for a type that torch.save does not
/// write.
std::string write_pickle(const std::vector<PlacedTensor>& tensors);

}  // namespace raven::weights
