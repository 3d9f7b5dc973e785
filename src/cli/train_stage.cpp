#include "cli/train_stage.h"

#include <torch/torch.h>

#include <algorithm>

#include "cli/cuda_library.h"
#include "raven/core/error.h"
#include "raven/core/interrupt.h"
#include "raven/core/log.h"
#include "raven/core/variables.h"
#include "raven/distributed/launch.h"
#include "raven/distributed/local_ranks.h"
#include "raven/train/stages.h"

namespace raven::cli {
namespace {

/// GPUs that a run may use.
std::int64_t num_gpus(config::Device device) {
  if (device == config::Device::kCpu) return 0;
  load_cuda_library(device);
  return torch::cuda::is_available() ? static_cast<std::int64_t>(torch::cuda::device_count()) : 0;
}

/// 1: this process trains, alone or as a rank that somebody has started.
std::int64_t ranks_to_start(std::int64_t wanted, config::Device device) {
  const auto launch = distributed::read_launch(read_variables());
  if (launch.size == 1 && (wanted > 0 || !launch.by.empty()))
    return std::max<std::int64_t>(wanted, 1);
  if (launch.size == 1) {
    const auto gpus = num_gpus(device);
    if (gpus > 1) log::info("{} GPUs: as many ranks are started; ranks=1 trains on one", gpus);
    return std::max<std::int64_t>(gpus, 1);
  }
  if (wanted > 0 && wanted != launch.size) {
    throw ConfigError(fmt::format("ranks={}, but {} started {} processes; leave ranks at 0", wanted,
                                  launch.by, launch.size));
  }
  return 1;
}

}  // namespace

ExitCode train_stage(const std::string& name, const Arguments& arguments) {
  const auto stop = watch_signals();
  const auto kind =
      std::ranges::find(train::stages(), name, [](const auto& one) { return one.name; });
  RAVEN_CHECK(kind != train::stages().end(), "no stage is called {}", name);
  std::vector<std::string> words = {name};
  if (!arguments.config_file().empty())
    words.insert(words.end(), {"--config", arguments.config_file().string()});
  const auto overrides = arguments.overrides();
  words.insert(words.end(), overrides.begin(), overrides.end());
  auto [stage, yaml] = kind->load(arguments.config_file(), arguments.overrides());
  const auto settings = stage->settings();
  if (const auto ranks = ranks_to_start(settings.ranks, settings.device); ranks > 1) {
    words.insert(words.end(), {"--log-level", arguments.text("--log-level")});
    return static_cast<ExitCode>(
        distributed::run_local_ranks("/proc/self/exe", words, ranks, stop));
  }
  distributed::end_with_parent();
  const auto outcome = train::run_session(*stage, {.yaml = std::move(yaml),
                                                   .overrides = overrides,
                                                   .arguments = std::move(words),
                                                   .stop = stop,
                                                   .load_device = [](config::Device device) {
                                                     load_cuda_library(device);
                                                     return cuda_library_problem();
                                                   }});
  return outcome == train::Outcome::kDone ? ExitCode::kDone : ExitCode::kStopped;
}

}  // namespace raven::cli
