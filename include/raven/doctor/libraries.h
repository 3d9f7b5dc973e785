// Shared libraries of this process: where they were found, and whether they belong together.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "raven/doctor/finding.h"

namespace raven::doctor {

/// Files of all shared libraries that are loaded now.
std::vector<std::filesystem::path> loaded_libraries();

/// The library that OpenMP's functions come from; empty when there is none.
std::filesystem::path openmp_library();

/// LibTorch as raven was built for and as it runs.
struct TorchVersions {
  std::string built = {};             // "2.11.0", of the headers
  std::string running = {};           // of the loaded library; empty when it does not say
  std::string package = {};           // of the Python package around it; empty when there is none
  std::string cuda = {};              // "13.0"; empty for a LibTorch without CUDA
  std::filesystem::path openmp = {};  // library whose threads it uses
};

/// Picks TORCH_VERSION= and CUDA_VERSION= out of at::show_config().
void parse_torch_config(std::string_view text, TorchVersions& versions);

/// __version__ of a version.py, without what follows the + sign.
std::string parse_package_version(std::string_view text);

/// The version of the package whose lib/ holds `library`; empty when there is none.
std::string read_package_version(const std::filesystem::path& library);

/// A version that raven was built for and that runs: "libavcodec", "59.37.100".
struct LibraryVersion {
  std::string name = {}, built = {}, running = {};
};

/// torch.version, torch.folders, torch.openmp.
Findings check_torch(const TorchVersions& versions,
                     const std::vector<std::filesystem::path>& loaded);

/// libraries.versions, libraries.twice.
Findings check_libraries(const std::vector<LibraryVersion>& versions,
                         const std::vector<std::filesystem::path>& loaded);

}  // namespace raven::doctor
