#include "raven/plan/trace.h"

#include <torch/csrc/autograd/profiler_kineto.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/new_file.h"

namespace raven::plan {
namespace {

namespace fs = std::filesystem;

/// LibTorch's profiler does not tell that it could not write.
void check_end(const fs::path& file) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  const auto size = static_cast<std::streamoff>(in.tellg());
  std::string end(static_cast<std::size_t>(std::clamp<std::streamoff>(size, 0, 64)), ' ');
  in.seekg(-static_cast<std::streamoff>(end.size()), std::ios::end);
  in.read(end.data(), std::ssize(end));
  const auto last = end.find_last_not_of(" \n");
  if (in && last != std::string::npos && end[last] == '}') return;
  throw SystemError(fmt::format("{}: the trace could not be written whole; is the disk full?",
                                file.parent_path().string()));
}

/// To a pipe or device.
void copy_to(const fs::path& file, const fs::path& trace) {
  NewFile out(file);
  std::ifstream in(trace, std::ios::binary);
  std::string block(1 << 20, '\0');
  while (in.read(block.data(), std::ssize(block)) || in.gcount() > 0)
    out.write({block.data(), static_cast<std::size_t>(in.gcount())});
  out.commit();
}

/// The profiler writes beside the path that it is given and exchanges the two, so it gets a folder
/// of its own: beside `file`, where the user has chosen that there is room. Only what goes through
/// a link (/dev/stdout is one), or to a pipe or device, waits among temporary files.
void save_trace(torch::autograd::profiler::ProfilerResult& trace, const fs::path& file) {
  std::error_code none;
  const auto type = fs::symlink_status(file, none).type();
  const bool plain = type == fs::file_type::not_found || type == fs::file_type::regular;
  const auto beside = file.has_parent_path() ? file.parent_path() : fs::path(".");
  const auto parent = plain ? beside : fs::temp_directory_path(none);
  auto name = (parent / ".raven_trace_XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw_system_error("create folder", name, errno);
  const fs::path folder = name;
  try {
    const auto written = folder / "trace.json";
    trace.save(written);
    check_end(written);
    if (plain) {
      flush_to_disk(written);
      rename_or_throw(written, file);
      flush_to_disk(parent);
    } else {
      copy_to(file, written);
    }
  } catch (...) {
    fs::remove_all(folder, none);
    throw;
  }
  fs::remove_all(folder, none);
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
  save_trace(*trace, file);
}

}  // namespace raven::plan
