// `raven average`
#include <filesystem>

#include "commands.h"
#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/text/units.h"
#include "raven/train/average.h"
#include "raven/train/checkpoint.h"
#include "raven/train/finetune_task.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDescription =
    "Writes the mean of several checkpoints as one .safetensors file: weights, scales and running "
    "statistics are averaged, integer counters divided with rounding down. Of checkpoints of "
    "fine-tuning the result carries vocabulary and settings, so it can be evaluated by itself.";

/// Vocabulary and settings of the run whose checkpoint `folder` is; nothing for other files.
std::map<std::string, std::string> run_metadata(const fs::path& folder) {
  if (!fs::is_directory(folder)) return {};
  const auto checkpoint = train::read_checkpoint(folder);
  const auto units = train::units_of(checkpoint);
  if (!units) return {};
  return train::recognizer_metadata(checkpoint.state.config, *units);
}

ExitCode average(const Arguments& arguments) {
  std::vector<fs::path> files;
  for (const auto& file : arguments.list("CHECKPOINT"))
    files.push_back(train::resolve_checkpoint(file));
  auto mean = train::average_files(files);
  if (auto metadata = run_metadata(files.front()); !metadata.empty())
    mean.metadata = std::move(metadata);
  mean.metadata["averaged_checkpoints"] = fmt::format("{}", files.size());
  mean.metadata.erase("step");  // of one of the files
  if (const auto step = train::step_of_folder(files.back()))
    mean.metadata["step"] = fmt::format("{}", *step);
  weights::write_safetensors(arguments.path("--out"), mean, {.hashes = true});
  log::info("{}: mean of {} checkpoints, {} tensors", arguments.text("--out"), files.size(),
            mean.tensors.size());
  return ExitCode::kDone;
}

}  // namespace

Command make_average_command() {
  return {.name = "average",
          .summary = "averages checkpoints",
          .description = kDescription,
          .positionals = {{.name = "CHECKPOINT",
                           .meaning = "checkpoint folders or .safetensors files of one model",
                           .repeated = true}},
          .options = {{.name = "--out",
                       .value = "FILE",
                       .meaning = "the .safetensors file to write",
                       .kind = ValueKind::kFile,
                       .required = true}},
          .examples = {{"average runs/vsr30/checkpoints/step_* --out vsr30.safetensors",
                        "all checkpoints that a run has kept"},
                       {"average a.safetensors b.safetensors --out mean.safetensors",
                        "two files of the same model"}},
          .run = average};
}

}  // namespace raven::cli
