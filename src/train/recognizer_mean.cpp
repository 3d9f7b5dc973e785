#include "train/recognizer_mean.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "raven/artifacts/average.h"
#include "raven/artifacts/checkpoint_folder.h"
#include "raven/artifacts/run_files.h"
#include "raven/artifacts/vocabulary.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/report/metric_names.h"
#include "raven/weights/model_settings.h"

namespace raven::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using report::metric;

/// Of the head that reads better.
std::optional<double> word_error_rate(const Numbers& numbers) {
  std::optional<double> lowest;
  for (const auto& name : {metric("valid_wer_ctc"), metric("valid_wer_attention")}) {
    const auto found = numbers.find(name);
    if (found != numbers.end()) lowest = std::min(lowest.value_or(found->second), found->second);
  }
  return lowest;
}

std::optional<artifacts::BestSoFar> best_of(const std::optional<artifacts::TrainState>& last,
                                            config::KeptBest keep_best) {
  if (keep_best == config::KeptBest::kNone) return std::nullopt;
  if (last && last->best) return last->best;
  log::warn(
      "validation.keep_best={}: no evaluation gave a number; the recognizer is the mean of the "
      "last checkpoints",
      config::enum_name(keep_best));
  return std::nullopt;
}

Json held_out_json(const Numbers& numbers) {
  Json json;
  for (const auto& [name, value] : numbers) {
    if (!name.starts_with(metric("valid_skipped"))) json[name] = value;
  }
  return json;
}

}  // namespace

std::vector<std::int64_t> in_last_share(std::vector<std::int64_t> steps, double share) {
  if (steps.empty()) return steps;
  const auto last = steps.back();
  const double first = (1 - share) * static_cast<double>(last);
  std::erase_if(steps, [&](std::int64_t step) {
    return step != last && static_cast<double>(step) < first - 1e-6;
  });
  return steps;
}

RecognizerMean write_mean(const fs::path& run, const config::FinetuneConfig& config,
                          const text::Units& units) {
  const auto& checkpoint = config.checkpoint;
  artifacts::CheckpointFolder checkpoints(run / artifacts::kCheckpoints, checkpoint.keep,
                                          checkpoint.keep_every);
  const auto last = artifacts::LastCheckpoint(run).state();
  const auto best = best_of(last, config.validation.keep_best);
  const auto steps =
      best ? std::vector<std::int64_t>{best->step}
           : in_last_share(checkpoints.newest_regular(static_cast<std::size_t>(checkpoint.average)),
                           checkpoint.average_share);
  if (steps.empty()) {
    throw CheckpointError(fmt::format("{}: no whole checkpoint is left to make a recognizer of",
                                      (run / artifacts::kCheckpoints).string()));
  }
  std::vector<fs::path> folders;
  for (const auto step : steps) folders.push_back(checkpoints.path_of(step));
  auto mean = artifacts::average(folders);
  RAVEN_CHECK(mean.first_state.has_value(), "a checkpoint without a state");
  auto& metadata = mean.file.metadata;
  metadata = artifacts::recognizer_metadata(*mean.first_state, units, run);
  metadata[weights::kAveraged] = fmt::format("{}", folders.size());
  metadata[weights::kStep] = fmt::format("{}", steps.back());
  if (best) {
    metadata[weights::kSteps] = fmt::format("{}", last->length);
    metadata[weights::kRunStep] = fmt::format("{}", last->step);
    metadata[weights::kBestBy] = config::enum_name(config.validation.keep_best);
  }
  weights::write_safetensors(run / artifacts::kRecognizerFile, mean.file, {.hashes = true});
  return {.steps = steps, .best = best, .file = std::move(mean.file)};
}

void tell_mean(const fs::path& run, const std::vector<std::int64_t>& steps, const Numbers& mean,
               const Numbers& last) {
  Json json = {{"averaged_steps", steps}};
  const auto file = (run / artifacts::kRecognizerFile).string();
  auto said = fmt::format("{}: mean of the checkpoints of steps {}", file, fmt::join(steps, ", "));
  const auto of_mean = word_error_rate(mean), of_last = word_error_rate(last);
  if (of_mean && of_last) {
    json["held_out"] = {{"mean", held_out_json(mean)}, {"last", held_out_json(last)}};
    said += fmt::format("; held-out WER {:.1f} %, of the last one alone {:.1f} %", 100 * *of_mean,
                        100 * *of_last);
  }
  log::info("{}", said);
  if (of_mean && of_last && *of_mean > *of_last) {
    const auto warning = fmt::format(
        "the mean of {} checkpoints reads held-out clips worse than the last one alone: WER "
        "{:.1f} % against {:.1f} %; the same command with checkpoint.average=1 makes the "
        "recognizer of the last one",
        steps.size(), 100 * *of_mean, 100 * *of_last);
    json["warning"] = warning;
    log::warn("{}", warning);
  }
  write_file_atomically(run / artifacts::kRecognizerRecord, json.dump(2) + "\n");
}

void tell_best(const fs::path& run, const artifacts::BestSoFar& best, config::KeptBest by) {
  const auto name = config::enum_name(by);
  log::info("{}: the checkpoint of step {}, the best on held-out clips by {} ({:.4f})",
            (run / artifacts::kRecognizerFile).string(), best.step, name, best.value);
  const Json json = {
      {"averaged_steps", Json::array({best.step})}, {"best_by", name}, {"best", best.value}};
  write_file_atomically(run / artifacts::kRecognizerRecord, json.dump(2) + "\n");
}

}  // namespace raven::train
