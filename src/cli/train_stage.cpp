#include "cli/train_stage.h"

#include <algorithm>

#include "cli/cuda_library.h"
#include "cli/idle_overs.h"
#include "cli/start_ranks.h"
#include "raven/config/stages.h"
#include "raven/core/error.h"
#include "raven/core/interrupt.h"
#include "raven/distributed/joined_ranks.h"
#include "raven/train/stages.h"

namespace raven::cli {

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
  auto [stage, yaml] = distributed::before_joining(
      [&] { return kind->load(arguments.config_file(), arguments.overrides()); });
  warn_of_idle_overs(config::stage_named(name), arguments.config_file(), overrides);
  const auto settings = stage->settings();
  const auto code = distributed::before_joining(
      [&] { return start_ranks(name, arguments, settings.ranks, settings.device, stop); });
  if (code) return *code;
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
