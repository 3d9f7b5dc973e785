// Where the entries of a zip file lie.
//
// A reader of our own, and a strict one: tensors are mapped where they lie in the file, which a
// general archive library does not offer, and the file comes from strangers. Everything that
// torch.save does not write is refused: compression, encryption, comments, bytes before, between or
// after the entries, names that climb out, and any disagreement between the directory and the
// entries' own headers. Checksums are compared by sha256_and_verify, which reads the whole file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace raven::weights {

struct ZipEntry {
  std::string_view name;              // in the given bytes
  std::uint64_t begin = 0, size = 0;  // of its content
  std::uint32_t crc = 0;              // as the directory says; not compared
};

/// The entries in the order of the directory. `source` begins messages. Throws CheckpointError.
std::vector<ZipEntry> read_zip_directory(std::string_view file, const std::string& source);

/// An entry of that name tells a file of torch.jit.save: the model as a program.
bool is_torchscript(std::string_view entry);

inline constexpr const char* kTorchScript =
    "is a TorchScript archive (torch.jit.save): a program with weights, and raven runs no "
    "programs; save its weights alone in PyTorch: torch.save(torch.jit.load(FILE).state_dict(), "
    "'weights.pth')";

}  // namespace raven::weights
