#include "cli/start_ranks.h"

#include <torch/torch.h>

#include <algorithm>
#include <vector>

#include "cli/cuda_library.h"
#include "raven/core/log.h"
#include "raven/core/variables.h"
#include "raven/distributed/launch.h"
#include "raven/distributed/local_ranks.h"

namespace raven::cli {
namespace {

/// GPUs that a command may use.
std::int64_t num_gpus(config::Device device) {
  if (device == config::Device::kCpu) return 0;
  load_cuda_library(device);
  return torch::cuda::is_available() ? static_cast<std::int64_t>(torch::cuda::device_count()) : 0;
}

/// 1: this process does the work.
std::int64_t ranks_to_start(std::int64_t wanted, config::Device device) {
  const auto launch = distributed::read_launch(read_variables());
  if (launch.size == 1 && (wanted > 0 || !launch.by.empty()))
    return std::max<std::int64_t>(wanted, 1);
  if (launch.size == 1) {
    const auto gpus = num_gpus(device);
    if (gpus > 1) log::info("{} GPUs: as many ranks are started; ranks=1 works on one", gpus);
    return std::max<std::int64_t>(gpus, 1);
  }
  if (wanted > 0 && wanted != launch.size) {
    throw ConfigError(fmt::format("ranks={}, but {} started {} processes; leave ranks at 0", wanted,
                                  launch.by, launch.size));
  }
  return 1;
}

}  // namespace

std::optional<ExitCode> start_ranks(const std::string& command, const Arguments& arguments,
                                    std::int64_t ranks, config::Device device,
                                    const std::stop_token& stop) {
  const auto count = ranks_to_start(ranks, device);
  if (count > 1) {
    std::vector<std::string> words = {command};
    words.insert(words.end(), arguments.raw().begin(), arguments.raw().end());
    return static_cast<ExitCode>(
        distributed::run_local_ranks("/proc/self/exe", words, count, stop));
  }
  distributed::end_with_parent();
  return std::nullopt;
}

}  // namespace raven::cli
