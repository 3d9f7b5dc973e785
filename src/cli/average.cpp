// `raven average`
#include "raven/artifacts/average.h"
#include "cli/commands.h"
#include "raven/artifacts/vocabulary.h"
#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/text/units.h"

namespace raven::cli {
namespace {

constexpr const char* kDescription =
    "Writes the mean of several checkpoints as one .safetensors file: weights, scales and running "
    "statistics are averaged, integer counters divided with rounding down. Of checkpoints of "
    "fine-tuning the result carries vocabulary and settings, so it can be evaluated by itself.";

/// Of a checkpoint of fine-tuning: vocabulary and settings of its run.
void describe(artifacts::Mean& mean) {
  if (!mean.first_state) return;
  if (const auto units = artifacts::units_of(mean.first, *mean.first_state))
    mean.file.metadata = artifacts::recognizer_metadata(*mean.first_state, *units, mean.first);
}

ExitCode average(const Arguments& arguments) {
  const auto given = arguments.list("CHECKPOINT");
  auto mean = artifacts::average({given.begin(), given.end()});
  describe(mean);
  auto& metadata = mean.file.metadata;
  metadata[weights::kAveraged] = fmt::format("{}", given.size());
  for (const auto* of_one : {weights::kStep, weights::kRunStep, weights::kBestBy})
    metadata.erase(of_one);  // of one of the files
  if (mean.last_step) metadata[weights::kStep] = fmt::format("{}", *mean.last_step);
  weights::write_safetensors(arguments.path("--out"), mean.file, {.hashes = true});
  log::info("{}: mean of {} checkpoints, {} tensors", arguments.text("--out"), given.size(),
            mean.file.tensors.size());
  return ExitCode::kDone;
}

}  // namespace

Command make_average_command() {
  return {.name = "average",
          .summary = "averages checkpoints",
          .description = kDescription,
          .positionals = {{.name = "CHECKPOINT",
                           .meaning = "checkpoint folders, runs or .safetensors files of one model",
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
