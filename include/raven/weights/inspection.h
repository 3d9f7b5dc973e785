// What a file with weights holds, tensor by tensor, and what two files have in common. Works
// through the tensors one by one, so a file needs the memory of its largest tensor.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "raven/weights/weights_file.h"

namespace raven::weights {

/// Python's name of a type: "float32".
std::string type_name(c10::ScalarType type);

struct TensorFacts {
  std::string name, type;
  std::vector<std::int64_t> shape;
  std::uint64_t bytes = 0;
  // Of the numbers, where they were looked at:
  double norm = 0;                 // L2, of the finite ones
  double least = 0, greatest = 0;  // of the finite ones; 0 where there are none
  std::int64_t not_finite = 0;     // NaN and infinities
  std::string sha256;              // of the elements in row-major order, little-endian
};

struct Inspection {
  std::string file, format, sha256;  // hash of the file; empty: not asked for
  std::uint64_t file_bytes = 0;
  bool numbers = false;  // norm, least, greatest, not_finite and hashes are there
  std::vector<TensorFacts> tensors;
  std::vector<std::pair<std::string, std::string>> metadata;  // and other values of an archive
};

struct InspectOptions {
  std::string only;     // tensors whose name contains this
  bool numbers = true;  // look at the elements; false: names, shapes and types
};

/// Throws as open_weights does.
Inspection inspect(const std::filesystem::path& file, const InspectOptions& options = {});
/// The same of a file that is open already.
Inspection inspect(const WeightsFile& weights, const InspectOptions& options = {});

/// SHA-256 of a tensor's elements in row-major order.
std::string tensor_sha256(const torch::Tensor& tensor);

struct TensorDifference {
  std::string name;
  std::string first, second;       // "float32 [3, 4]"; empty: not there
  bool equal = false;              // bit for bit
  double greatest_difference = 0;  // |a - b| in double; NaN where one is NaN and the other is not
  std::int64_t different = 0;      // elements
};

/// Every tensor of both files, in the first one's order, then what only the second has.
std::vector<TensorDifference> compare(const std::filesystem::path& first,
                                      const std::filesystem::path& second,
                                      const InspectOptions& options = {});

}  // namespace raven::weights
