#include "raven/train/trace.h"

#include <torch/csrc/autograd/profiler_kineto.h>

#include <cstdlib>
#include <set>

#include "raven/core/files.h"

namespace raven::train {

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
  work();
  const auto trace = profiler::disableProfiler();
  replace_file(file, [&](const std::filesystem::path& temporary) { trace->save(temporary); });
}

}  // namespace raven::train
