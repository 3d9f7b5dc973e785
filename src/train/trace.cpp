#include "raven/train/trace.h"

#include <torch/csrc/autograd/profiler_kineto.h>

#include <cstdlib>
#include <set>

#include "raven/core/error.h"
#include "raven/core/files.h"

namespace raven::train {
namespace {

/// LibTorch's profiler does not tell that it could not write.
void check_whole(const std::filesystem::path& file) {
  auto text = read_file(file);
  text.erase(text.find_last_not_of(" \n") + 1);
  if (text.empty() || text.back() != '}') {
    throw SystemError(fmt::format("{}: the trace could not be written whole", file.string()));
  }
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
  replace_file(file, [&](const std::filesystem::path& temporary) {
    trace->save(temporary);
    check_whole(temporary);
  });
}

}  // namespace raven::train
