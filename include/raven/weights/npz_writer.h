// Files that numpy.load reads.
#pragma once

#include <filesystem>

#include "raven/weights/safetensors.h"

namespace raven::weights {

/// A .npz of one array for each tensor, written atomically, without compression and without
/// metadata. NumPy has no bfloat16: such tensors become float32, which holds each of their numbers.
/// Throws SystemError, InternalError for two tensors of one name.
void write_npz(const std::filesystem::path& file, const TensorFile& content);

/// One array as a .npy, written atomically; the rest as above.
void write_npy(const std::filesystem::path& file, const torch::Tensor& tensor);

}  // namespace raven::weights
