// Files that PyTorch reads: torch.load(file, weights_only=True) gives a dict of tensors.
#pragma once

#include <filesystem>

#include "raven/weights/safetensors.h"

namespace raven::weights {

/// A zip archive of torch.save, written atomically; the format holds no metadata. A storage that
/// several tensors of one type share is written once and stays shared; what no tensor shows of a
/// storage is left out. Contents are aligned to 64 bytes. The same tensors give the same bytes.
/// Throws SystemError, InternalError for two tensors of one name.
void write_pytorch_archive(const std::filesystem::path& file, const TensorFile& content);

}  // namespace raven::weights
