// `raven data verify|stats|show|export`
#include <spdlog/fmt/fmt.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "cli/commands.h"
#include "cli/print.h"
#include "cli/tell_stop.h"
#include "raven/config/load.h"
#include "raven/config/pretrain_config.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/core/progress.h"
#include "raven/core/summed_warnings.h"
#include "raven/core/utf8.h"
#include "raven/data/contact_sheet.h"
#include "raven/data/list_export.h"
#include "raven/data/loader.h"
#include "raven/data/media_roots.h"
#include "raven/data/sample_reader.h"
#include "raven/data/statistics.h"
#include "raven/data/verification.h"
#include "raven/media/image_writer.h"
#include "raven/media/media.h"
#include "raven/text/tokenizer.h"

namespace raven::cli {
namespace {

constexpr const char* kVideoRoot = "--video-root";
constexpr const char* kAudioRoot = "--audio-root";
constexpr const char* kUnits = "--units";
constexpr const char* kModel = "--model";

std::string verification_json(const data::Verification& result) {
  nlohmann::ordered_json object = {{"utterances", result.utterances},
                                   {"usable", result.usable},
                                   {"usable_hours", media::hours(result.usable_frames)},
                                   {"shards_without_index", result.shards_without_index},
                                   {"other_lengths", result.other_lengths},
                                   {"by_reason", result.by_reason},
                                   {"problems", nlohmann::ordered_json::array()}};
  for (const auto& [id, reason, message] : result.problems) {
    object["problems"].push_back({{"id", id}, {"reason", reason}, {"message", message}});
  }
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string verification_text(const data::Verification& result) {
  std::string out;
  for (const auto& [id, reason, message] : result.problems)
    out += fmt::format("{}\t{}\t{}\n", id, reason, message);
  out += fmt::format("{} of {} utterances usable, {:.2f} hours\n", result.usable, result.utterances,
                     media::hours(result.usable_frames));
  for (const auto& [reason, count] : result.by_reason)
    out += fmt::format("{:>9}  {}\n", count, reason);
  if (result.other_lengths > 0) {
    out += fmt::format(
        "{} are longer or shorter than the published list says: their own length is used\n",
        result.other_lengths);
  }
  if (result.shards_without_index > 0) {
    out += fmt::format("{} shards have no index: their bytes were not compared with checksums\n",
                       result.shards_without_index);
  }
  return out;
}

data::MediaRoots roots_of(const Arguments& arguments) {
  const auto folder = [&](const std::string& option) {
    return arguments.given(option) ? arguments.text(option) : std::string();
  };
  return data::media_roots(folder(kVideoRoot), folder(kAudioRoot), kVideoRoot, kAudioRoot);
}

ExitCode verify(const Arguments& arguments) {
  const auto manifest = data::read_manifest(arguments.path("MANIFEST"), roots_of(arguments));
  const auto stop = watch_signals();
  data::Verification result;
  {
    Progress progress("verify", std::ssize(manifest.utterances), "utterances");
    result = data::verify(manifest, arguments.integer("--workers"), [&](std::int64_t done) {
      progress.update(done);
      return !stop.stop_requested();
    });
  }
  print(arguments.flag("--json") ? verification_json(result) : verification_text(result));
  if (stop.stop_requested()) {
    log::warn("stopped after {} of {} utterances", result.utterances, manifest.utterances.size());
    return ExitCode::kStopped;
  }
  return std::ssize(result.problems) > arguments.integer("--max-skipped")
             ? ExitCode::kTooManySkipped
             : ExitCode::kDone;
}

/// Null where no vocabulary is given.
std::unique_ptr<text::Tokenizer> tokenizer_of(const Arguments& arguments) {
  const auto file = [&](const std::string& option) {
    return arguments.given(option) ? arguments.path(option) : std::filesystem::path();
  };
  if (!arguments.given(kUnits) && !arguments.given(kModel)) return nullptr;
  return text::make_tokenizer({.units_file = file(kUnits), .model_file = file(kModel)});
}

ExitCode stats(const Arguments& arguments) {
  const auto tokenizer = tokenizer_of(arguments);
  const auto statistics = data::statistics_of(data::read_manifest(arguments.path("MANIFEST")),
                                              tokenizer ? &tokenizer->units() : nullptr);
  print(arguments.flag("--json") ? data::to_json(statistics) + "\n" : data::to_text(statistics));
  return ExitCode::kDone;
}

/// As many batches as `rows` utterances need, from the one that was asked for.
std::vector<data::Batch> batches_for(data::Loader& loader, std::int64_t rows) {
  std::vector<data::Batch> batches;
  while (rows > 0) {
    auto batch = loader.next();
    if (!batch || std::ssize(batches) == loader.batches_per_epoch()) break;
    rows -= std::ssize(batch->ids);
    batches.push_back(std::move(*batch));
  }
  return batches;
}

/// What those of `batches` have that lack one: by id.
std::map<std::string, data::Modalities> modalities_of(const std::vector<data::Batch>& batches,
                                                      const data::Manifest& manifest) {
  std::set<std::string_view> ids;
  for (const auto& batch : batches) ids.insert(batch.ids.begin(), batch.ids.end());
  const data::SampleReader reader({}, std::make_shared<data::ShardCache>(), manifest.file);
  std::map<std::string, data::Modalities> found;
  for (const auto& utterance : manifest.utterances) {
    if (ids.contains(utterance.id)) found[utterance.id] = reader.modalities(utterance);
  }
  return found;
}

ExitCode show(const Arguments& arguments) {
  const auto [config, yaml] = config::load<config::PretrainConfig>(
      arguments.config_file(), arguments.overrides(), {.allow_missing = true});
  const bool evaluate = arguments.flag("--evaluate");
  const auto rows = arguments.integer("--rows");
  auto loading = data::training_options(config.data, config.run.seed);
  loading.workers = 0;
  loading.training = !evaluate;
  loading.absent_is_blank = true;
  if (!evaluate) loading.mask = config.mask;
  const auto manifest =
      data::read_manifest(arguments.path("MANIFEST"), data::media_roots(config.data));
  data::Loader loader(manifest, loading);
  loader.seek({.epoch = evaluate ? 0 : arguments.integer("--epoch"),
               .batch = arguments.integer("--batch")});
  const auto batches = batches_for(loader, rows);
  if (batches.empty())
    throw ConfigError(fmt::format("there is no batch {}", arguments.integer("--batch")));
  const auto how = evaluate ? "as evaluated: listed order, centre crop, no flip"
                            : "as trained on: crop and flip drawn for each clip";
  const auto sheet = data::contact_sheet(batches, {.rows = rows,
                                                   .columns = arguments.integer("--columns"),
                                                   .how = how,
                                                   .found = modalities_of(batches, manifest)});
  write_file_atomically(arguments.path("--out"),
                        media::encode_png(sheet.pixels, sheet.height, sheet.width, 3));
  std::int64_t row = 0;
  for (const auto& batch : batches) {
    for (std::int64_t b = 0; b < std::ssize(batch.ids) && row < rows; ++b) {
      print(fmt::format("row {:<4} epoch {} batch {}  {}  {} frames\n", ++row, batch.epoch,
                        batch.index, printable(batch.ids[static_cast<std::size_t>(b)]),
                        batch.lengths[b].item<std::int64_t>()));
    }
  }
  print(arguments.text("--out") + "\n");
  return ExitCode::kDone;
}

ExitCode export_to_list(const Arguments& arguments) {
  const auto manifest = data::read_manifest(arguments.path("MANIFEST"), roots_of(arguments));
  const auto tokenizer = tokenizer_of(arguments);
  const data::ExportOptions options{
      .output = arguments.path("--out"),
      .tag = arguments.given("--tag") ? arguments.text("--tag") : std::string(),
      .labels = !arguments.flag("--no-labels"),
      .workers = arguments.integer("--workers")};
  const auto stop = watch_signals();
  data::ExportSummary summary;
  {
    Progress progress("export", std::ssize(manifest.utterances), "utterances");
    summary = data::export_list(manifest, tokenizer.get(), options, stop,
                                [&](std::int64_t done) { progress.update(done); });
  }
  SummedWarnings warnings;
  for (const auto& [id, reason, message] : summary.skipped)
    warnings.warn(reason, fmt::format("skipped '{}' ({}): {}", printable(id), reason, message));
  warnings.finish();
  if (summary.stopped) {
    return tell_stop();
  }
  print(fmt::format("{} utterances written, {} kept, {} skipped, {:.2f} hours\n{}\n",
                    summary.written, summary.kept, std::ssize(summary.skipped),
                    media::hours(summary.frames), summary.list.string()));
  for (const auto& [count, what] : {std::pair(summary.without_video, "pictures: no .avi"),
                                    {summary.without_sound, "sound: no .wav"},
                                    {summary.without_labels, "unit ids: an empty last column"}}) {
    if (count > 0) log::info("{} have no {}", count, what);
  }
  return std::ssize(summary.skipped) > arguments.integer("--max-skipped")
             ? ExitCode::kTooManySkipped
             : ExitCode::kDone;
}

Positional manifest_argument() {
  return {.name = "MANIFEST",
          .meaning = "a manifest.tsv of `raven prepare`, or a published .csv list"};
}

Option number_option(const std::string& name, const std::string& meaning, const std::string& value,
                     double least) {
  return {.name = name,
          .value = "N",
          .meaning = meaning,
          .kind = ValueKind::kInteger,
          .default_value = value,
          .range = config::between(least, 1e9)};
}

Option workers_option() {
  return number_option(
      "--workers", "threads; 0: one for each processor of which the process has a share", "0", 0);
}

std::vector<Option> root_options() {
  return {{.name = kVideoRoot,
           .value = "DIR",
           .meaning = "folder of a published list's videos, in its folder <tag>/ where there is "
                      "one; else the list's own",
           .kind = ValueKind::kFolder},
          {.name = kAudioRoot,
           .value = "DIR",
           .meaning = "the same for its .wav files",
           .kind = ValueKind::kFolder}};
}

std::vector<Option> with(std::vector<Option> options, const std::vector<Option>& more) {
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

std::vector<Option> vocabulary_options(const std::string& use) {
  return {{.name = kUnits,
           .value = "FILE",
           .meaning = "units file (`<piece> <index>` lines, as published): " + use,
           .kind = ValueKind::kFile},
          {.name = kModel,
           .value = "FILE",
           .meaning = "a .model of `raven tokenizer train`, or counts for --units",
           .kind = ValueKind::kFile}};
}

Option json_switch() { return {.name = "--json", .value = "", .meaning = "print one JSON object"}; }

Command verify_command() {
  return {
      .name = "verify",
      .summary = "checks that everything listed is there, whole and readable",
      .description =
          "Compares members of shards with their checksums, decodes every utterance and compares "
          "its length with the listed one; counts of a published list only make batches, so there "
          "another length is counted and no fault. Prints one line for each utterance that cannot "
          "be used: "
          "id, reason, message. An utterance may lack video or audio, not what is listed. Exit "
          "code 3 when there are more of them than --max-skipped.",
      .positionals = {manifest_argument()},
      .options =
          with({json_switch(), workers_option(),
                number_option("--max-skipped", "unusable utterances that are accepted", "0", 0)},
               root_options()),
      .examples = {{"data verify data/lrs3/manifest.tsv", "everything, on all cores"},
                   {"data verify data/lrs3/manifest.tsv --json --workers 2",
                    "the same for scripts"}},
      .run = verify};
}

Command stats_command() {
  return {.name = "stats",
          .summary = "hours, speakers, lengths and subsets of a manifest",
          .description =
              "Counts what the manifest lists; reads no media. A published list has unit ids for "
              "transcripts: with --units, or --model, words, characters and examples are of the "
              "text that they stand for.",
          .positionals = {manifest_argument()},
          .options = with({json_switch()}, vocabulary_options("unit ids become text")),
          .examples = {{"data stats data/lrs3/manifest.tsv", "as text with a histogram of lengths"},
                       {"data stats lists/test.csv --units unigram1000_units.txt --json",
                        "a published list, for scripts"}},
          .run = stats};
}

Command show_command() {
  return {.name = "show",
          .summary = "draws what the models see as a contact sheet",
          .description =
              "Writes a PNG with one row of frames for each utterance, exactly as a batch of "
              "training has them: after crop and flip, frames that the video student does not see "
              "darkened and framed in red. The strip below is red where the audio student does not "
              "hear; then follows the waveform. Ids and a legend stand in the picture. Utterances "
              "may lack video or audio. With --evaluate nothing is masked.",
          .positionals = {manifest_argument()},
          .options = {{.name = "--out",
                       .value = "FILE",
                       .meaning = "the picture, .png",
                       .kind = ValueKind::kFile,
                       .required = true},
                      number_option("--rows", "utterances", "8", 1),
                      number_option("--columns", "frames of each", "16", 1),
                      number_option("--epoch", "of which epoch", "0", 0),
                      number_option("--batch", "from which batch of it", "0", 0),
                      {.name = "--evaluate",
                       .value = "",
                       .meaning = "listed order, centre crop, no flip, no masks"}},
          .config_keys = keys_of<config::PretrainConfig>(),
          .examples = {{"data show data/lrs3/manifest.tsv --out sheet.png",
                        "with the published crop and masks"},
                       {"data show data/lrs3/manifest.tsv --out sheet.png --config quickstart.yaml "
                        "mask.prob=0.4",
                        "with a recipe's, and more masks"}},
          .run = show};
}

Command export_command() {
  return {
      .name = "export",
      .summary = "writes a published list with its .avi and .wav files",
      .description =
          "Writes what the manifest lists as the published code reads it: DIR/<list>.csv (tag, "
          "path, frames, unit ids; no header) and, for each clip, DIR/<tag>/<id>.avi (grey FFV1) "
          "and .wav (16 kHz). Pictures and samples come back as they were. Transcripts become unit "
          "ids by --model, or --units with --model; ids of a published list stay. The list is "
          "written last; the same command goes on after a stop, and further lists may go into the "
          "same folder. Exit code 3 when more clips cannot be read than --max-skipped.",
      .positionals = {manifest_argument()},
      .options = with(with({{.name = "--out",
                             .value = "DIR",
                             .meaning = "folder of the list and its files",
                             .kind = ValueKind::kFolder,
                             .required = true},
                            {.name = "--tag",
                             .value = "NAME",
                             .meaning = "first column, and folder of the files; without it the "
                                        "corpus that a clip is of: lrs3, lrs2 or vox2"},
                            {.name = "--no-labels",
                             .value = "",
                             .meaning = "leave the unit ids empty, for pre-training"},
                            workers_option(),
                            number_option("--max-skipped",
                                          "clips that may be unreadable and left out", "0", 0)},
                           vocabulary_options("transcripts become unit ids")),
                      root_options()),
      .examples = {{"data export data/lrs3/test.tsv --out published --units unigram1000_units.txt "
                    "--model unigram1000_counts.json",
                    "published/test.csv with the published vocabulary"},
                   {"data export data/mine/train.tsv --out published --tag lrs3 --no-labels",
                    "clips of one's own for published pre-training"}},
      .run = export_to_list};
}

}  // namespace

Command make_data_command() {
  return {
      .name = "data",
      .summary = "checks, counts, shows or exports what a manifest lists",
      .description = "",
      .examples = {{"data verify data/lrs3/manifest.tsv", "is everything there and readable?"},
                   {"data show data/lrs3/manifest.tsv --out sheet.png", "what do the models see?"}},
      .children = {verify_command(), stats_command(), show_command(), export_command()}};
}

}  // namespace raven::cli
