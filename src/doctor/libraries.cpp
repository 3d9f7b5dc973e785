#include "raven/doctor/libraries.h"

#include <dlfcn.h>
#include <link.h>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "core/text_file.h"

namespace raven::doctor {
namespace {

namespace fs = std::filesystem;

/// "libgomp.so.1" -> "libgomp", "libgomp-a34b3233.so.1" -> "libgomp": wheels add a hash.
std::string stem(const fs::path& library) {
  auto name = library.filename().string();
  name = name.substr(0, name.find(".so"));
  const auto dash = name.rfind('-');
  const bool hash = dash != std::string::npos && name.size() - dash == 9 &&
                    name.find_first_not_of("0123456789abcdef", dash + 1) == std::string::npos;
  return hash ? name.substr(0, dash) : name;
}

std::optional<fs::path> find(const std::vector<fs::path>& loaded, const std::string& name) {
  for (const auto& library : loaded) {
    if (stem(library) == name) return library;
  }
  return std::nullopt;
}

/// "2.11.0+cu130" -> "2.11.0".
std::string without_build(const std::string& version) {
  return version.substr(0, version.find('+'));
}

/// "2.11.0" -> "2.11": versions that agree in it can run each other's programs.
std::string series(const std::string& version) {
  const auto first = version.find('.');
  return version.substr(0, first == std::string::npos ? first : version.find('.', first + 1));
}

std::string value_after(std::string_view text, std::string_view key) {
  const auto begin = text.find(key);
  if (begin == std::string_view::npos) return "";
  const auto value = text.substr(begin + key.size());
  return std::string(trimmed(value.substr(0, value.find_first_of(",\n"))));
}

Finding check_torch_version(const TorchVersions& versions, const std::vector<fs::path>& loaded) {
  const auto place = find(loaded, "libtorch_cpu").value_or("an unknown place");
  const auto running = without_build(versions.running), built = without_build(versions.built);
  Finding finding{
      .id = "torch.version",
      .what = fmt::format("LibTorch {} ({}) in {}", versions.running,
                          versions.cuda.empty() ? "without CUDA" : "CUDA " + versions.cuda,
                          place.string())};
  const std::string remedy = fmt::format(
      "take the folder of another LibTorch out of LD_LIBRARY_PATH, or put that of LibTorch {0} "
      "first in it, or build raven anew "
      "with Torch_ROOT={1}",
      built, place.parent_path().parent_path().string());
  if (running != built) {
    finding.level = series(running) == series(built) ? Level::kWarning : Level::kFailure;
    finding.what += fmt::format("; raven was built for {}", built);
    finding.means =
        finding.level == Level::kFailure
            ? "tensors and classes have another layout there: wrong results or a crash at any time"
            : "mostly harmless, but nobody has tested this pair";
    finding.remedy = remedy;
  } else if (!versions.package.empty() && versions.package != running) {
    finding.level = Level::kWarning;
    finding.what += fmt::format("; the Python package around it is {}", versions.package);
    finding.means = "libraries of two packages are mixed: they may not fit together";
    finding.remedy = "install one Torch into an empty folder (scripts/setup.sh does)";
  }
  return finding;
}

Finding check_torch_folders(const std::vector<fs::path>& loaded) {
  std::map<std::string, fs::path> places;
  for (const std::string name : {"libtorch_cpu", "libc10", "libtorch_cuda", "libc10_cuda"}) {
    if (const auto library = find(loaded, name)) places[name] = library->parent_path();
  }
  const auto main = places.find("libtorch_cpu");
  for (const auto& [name, folder] : places) {
    if (main == places.end() || folder == main->second) continue;
    return {.id = "torch.folders",
            .level = Level::kFailure,
            .what = fmt::format("libtorch_cpu.so comes from {}, {}.so from {}",
                                main->second.string(), name, folder.string()),
            .means = "parts of two LibTorch are mixed: wrong results or a crash at any time",
            .remedy = "take one of the two folders out of LD_LIBRARY_PATH and LD_PRELOAD"};
  }
  return {.id = "torch.folders", .what = "all of LibTorch's libraries come from one folder"};
}

Finding check_openmp(const fs::path& openmp) {
  const auto name = stem(openmp);
  if (name != "libgomp") {
    return {.id = "torch.openmp",
            .what = fmt::format("threads of {}",
                                openmp.empty() ? "an unknown library" : openmp.string())};
  }
  return {.id = "torch.openmp",
          .level = Level::kWarning,
          .what = fmt::format("threads of {}", openmp.string()),
          .means =
              "beside another busy program steps become many times slower: libgomp's threads "
              "spin while they wait for one that was displaced",
          .remedy =
              "install libomp5 (scripts/setup.sh does) and build raven anew, or export "
              "OMP_WAIT_POLICY=passive"};
}

std::string major_part(const std::string& version) { return version.substr(0, version.find('.')); }

}  // namespace

std::vector<fs::path> loaded_libraries() {
  std::vector<fs::path> libraries;
  dl_iterate_phdr(
      [](dl_phdr_info* library, std::size_t, void* list) {
        if (library->dlpi_name != nullptr && library->dlpi_name[0] == '/')
          static_cast<std::vector<fs::path>*>(list)->emplace_back(library->dlpi_name);
        return 0;
      },
      &libraries);
  return libraries;
}

fs::path openmp_library() {
  const void* function = ::dlsym(RTLD_DEFAULT, "omp_get_max_threads");
  Dl_info info{};
  if (function == nullptr || ::dladdr(function, &info) == 0 || info.dli_fname == nullptr) return {};
  return info.dli_fname;
}

void parse_torch_config(std::string_view text, TorchVersions& versions) {
  versions.running = value_after(text, "TORCH_VERSION=");
  versions.cuda = value_after(text, "CUDA_VERSION=");
}

std::string parse_package_version(std::string_view text) {
  const auto line = value_after(text, "__version__ = ");
  const auto begin = line.find_first_of("'\""), end = line.find_last_of("'\"");
  if (begin == std::string::npos || end <= begin) return "";
  return without_build(line.substr(begin + 1, end - begin - 1));
}

std::string read_package_version(const fs::path& library) {
  const auto file = library.parent_path().parent_path() / "version.py";
  return parse_package_version(read_text(file.string()).value_or(""));
}

Findings check_torch(const TorchVersions& versions, const std::vector<fs::path>& loaded) {
  return {check_torch_version(versions, loaded), check_torch_folders(loaded),
          check_openmp(versions.openmp)};
}

Findings check_libraries(const std::vector<LibraryVersion>& versions,
                         const std::vector<fs::path>& loaded) {
  std::string all;
  Findings findings;
  for (const auto& [name, built, running] : versions) {
    all += fmt::format("{}{} {}", all.empty() ? "" : ", ", name, running);
    if (major_part(built) == major_part(running)) continue;
    findings.push_back(
        {.id = "libraries.versions",
         .level = Level::kFailure,
         .what = fmt::format("{} {} runs, raven was built for {} ({})", name, running, built,
                             find(loaded, name).value_or("place unknown").string()),
         .means = "its structures have another layout: wrong frames and samples, or a crash",
         .remedy = fmt::format(
             "take that folder out of LD_LIBRARY_PATH, or build raven anew on this machine")});
  }
  if (findings.empty()) findings.push_back({.id = "libraries.versions", .what = all});

  std::map<std::string, std::set<fs::path>> by_name;
  for (const auto& library : loaded) {
    std::error_code error;
    const auto file = fs::canonical(library, error);
    by_name[stem(library)].insert(error ? library : file);
  }
  for (const auto& [name, files] : by_name) {
    const bool matters = name.rfind("libav", 0) == 0 || name.rfind("libsw", 0) == 0 ||
                         name == "libgomp" || name == "libiomp5" || name == "libfmt" ||
                         name == "libspdlog" || name == "libcrypto" || name == "libprotobuf" ||
                         name == "libcudart" || name == "libcudnn" || name == "libnccl";
    if (!matters || files.size() < 2) continue;
    findings.push_back(
        {.id = "libraries.twice",
         .level = Level::kWarning,
         .what = fmt::format("{} is loaded twice: {}, {}", name, files.begin()->string(),
                             std::next(files.begin())->string()),
         .means = "two copies do not know of each other: threads are started twice over, or calls "
                  "reach the wrong one",
         .remedy = "keep one of the two in LD_LIBRARY_PATH and LD_PRELOAD"});
  }
  return findings;
}

}  // namespace raven::doctor
