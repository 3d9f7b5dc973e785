#include "raven/train/trace.h"

#include <torch/csrc/autograd/profiler_kineto.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>

#include "raven/core/error.h"
#include "raven/core/files.h"

namespace raven::train {
namespace {

/// LibTorch's profiler writes beside the path that it is given and exchanges the two, so it gets a
/// folder of its own; and it does not tell that it could not write.
std::string text_of(torch::autograd::profiler::ProfilerResult& trace) {
  auto name = (std::filesystem::temp_directory_path() / "raven_trace_XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    throw SystemError(fmt::format("cannot create folder {}: {}", name, std::strerror(errno)));
  }
  const std::filesystem::path folder = name;
  std::string text;
  std::error_code ignored;
  try {
    trace.save(folder / "trace.json");
    text = read_file(folder / "trace.json");
  } catch (...) {
    std::filesystem::remove_all(folder, ignored);
    throw;
  }
  std::filesystem::remove_all(folder, ignored);
  const auto end = text.find_last_not_of(" \n");
  if (end == std::string::npos || text[end] != '}') {
    throw SystemError(fmt::format("{}: the trace could not be written whole", folder.string()));
  }
  return text;
}

}  // namespace

void write_trace(const std::filesystem::path& file, const torch::Device& device,
                 const std::function<void()>& work) {
  namespace profiler = torch::autograd::profiler;
  using torch::profiler::impl::ActivityType;
  const profiler::ProfilerConfig options(torch::profiler::impl::ProfilerState::KINETO);
  ::setenv("KINETO_LOG_LEVEL", "99", /*overwrite=*/0);  // it complains where there is no GPU
  std::set<ActivityType> activities{ActivityType::CPU};
  if (device.is_cuda()) activities.insert(ActivityType::CUDA);
  profiler::prepareProfiler(options, activities);
  profiler::enableProfiler(options, activities);
  try {
    work();
  } catch (...) {
    profiler::disableProfiler();
    throw;
  }
  const auto trace = profiler::disableProfiler();
  write_file_atomically(file, text_of(*trace));
}

}  // namespace raven::train
