// `raven transcribe`
#include <filesystem>

#include "cli/commands.h"
#include "cli/cuda_library.h"
#include "cli/film_options.h"
#include "cli/model_name.h"
#include "cli/one_process.h"
#include "cli/print.h"
#include "cli/tell_stop.h"
#include "raven/config/load.h"
#include "raven/config/override.h"
#include "raven/config/transcribe_config.h"
#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/core/progress.h"
#include "raven/nn/device.h"
#include "raven/transcription/transcription.h"
#include "raven/weights/model_card.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;
using config::TranscribeConfig;

constexpr const char* kDescription =
    "Writes what is said in media files, of any length, as text, with times and confidences of the "
    "words (docs/transcription.md). --model names a recognizer (a .safetensors file, or a .pth "
    "that `raven import` would take, a run of `raven finetune`, or one of its checkpoints); one "
    "that hears takes the sound of anything that has sound, one that reads lips films of faces, "
    "which are found, or of mouth crops (96 x 96). Given twice, one of each, both transcripts come "
    "side by side. How it is decoded is what the file says, unless decode.* is given; decode.lm= "
    "and decode.lm_weight= add a language model.\n"
    "Long files are cut where nobody speaks. The folder gets NAME.txt and NAME.json, or what "
    "--format says, of each FILE, and transcripts.jsonl, which says what became of it. Files that "
    "cannot be used are told of and the others go on; exit code 3: there are more of them than "
    "data.max_skipped. The same command goes on after a stop, with the same result, and does only "
    "what is missing.";

TranscribeConfig load(const Arguments& arguments, const std::vector<std::string>& defaults) {
  auto overrides = arguments.overrides();
  if (arguments.given("--model"))
    overrides.push_back(config::list_override("model", arguments.list("--model")));
  if (arguments.given("--format"))
    overrides.push_back(
        config::list_override("format", split_at_commas(arguments.text("--format"))));
  auto texts = keys_of_film_options();
  texts.insert(texts.end(), {{"--out", "out"}, {"--annotate", "annotate"}});
  for (const auto& [option, key] : texts) {
    if (arguments.given(option))
      overrides.push_back(config::text_override(key, arguments.text(option)));
  }
  if (arguments.given("--jobs")) overrides.push_back("jobs=" + arguments.text("--jobs"));
  if (arguments.flag("--replace")) overrides.emplace_back("replace=true");
  return config::load<TranscribeConfig>(arguments.config_file(), overrides, {.defaults = defaults})
      .config;
}

std::vector<transcription::PieceRecognizer> recognizers(const Arguments& arguments,
                                                        const TranscribeConfig& config,
                                                        const torch::Device& device) {
  std::vector<transcription::PieceRecognizer> all;
  for (const auto& model : config.model) {
    auto loaded = evaluation::load_recognizer(model);
    if (!config.decode.lm.empty()) {
      loaded.language_model = evaluation::load_language_model(config.decode.lm);
      evaluation::check_same_units(loaded.language_model, loaded.units, model);
    }
    if (loaded.settings.ctc_weight == 0.0) {
      log::warn("{}: was trained without CTC, so that times and confidences of words say little",
                model);
    }
    const bool published =
        loaded.settings.modality == config::Modality::kVideo && weights::saw_published_grey(model);
    const auto decode = load(arguments, loaded.decoding).decode;
    all.emplace_back(std::move(loaded), model_name(model), decode,
                     published ? corpus::Grey::kPublished : corpus::Grey::kLuma, device);
  }
  return all;
}

ExitCode conclude(const transcription::TranscriptionSummary& summary,
                  const TranscribeConfig& config) {
  if (summary.stopped) {
    return tell_stop();
  }
  std::string reasons;
  for (const auto& [reason, count] : summary.failed)
    reasons += fmt::format("{}{} {}", reasons.empty() ? "" : ", ", count, reason);
  print(
      fmt::format("{} files transcribed ({:.1f} min, {} words), {} kept, {} without a "
                  "transcript{}\n{}\n",
                  summary.done, summary.duration_s / 60, summary.words, summary.kept,
                  summary.num_failed(), reasons.empty() ? "" : " (" + reasons + ")", config.out));
  const bool none = summary.done + summary.kept == 0;
  if (summary.num_failed() <= config.data.max_skipped && !none) return ExitCode::kDone;
  log::error(
      "{} of the files have no transcript, data.max_skipped allows {}; {}/transcripts.jsonl "
      "says why",
      summary.num_failed(), config.data.max_skipped, config.out);
  return ExitCode::kTooManySkipped;
}

ExitCode transcribe(const Arguments& arguments) {
  require_one_process("transcribe");
  const auto stop = watch_signals();
  const auto config = load(arguments, {});
  load_cuda_library(config.device);
  nn::set_threads(config.threads);
  nn::set_precision(config::Precision::kFp32);
  const auto device = nn::choose_device(config.device, cuda_library_problem());
  auto models = recognizers(arguments, config, device);
  std::vector<fs::path> files;
  for (const auto& file : arguments.list("FILE")) files.emplace_back(file);
  std::optional<Progress> progress;
  const auto report = [&](double done_s, double total_s, const std::string& note) {
    if (total_s < 1) return;  // no header tells any length
    if (!progress) progress.emplace("transcribe", static_cast<std::int64_t>(total_s), "s");
    progress->update(static_cast<std::int64_t>(done_s), note);
  };
  const auto summary = transcription::transcribe(files, models, config, stop, report);
  progress.reset();
  return conclude(summary, config);
}

std::vector<Option> options_table() {
  std::vector<Option> options = {
      {.name = "--model",
       .value = "PATH",
       .meaning = "the recognizer; twice: one that hears, one that reads lips (model=)",
       .kind = ValueKind::kFile,
       .repeated = true},
      {.name = "--out",
       .value = "DIR",
       .meaning = "folder of the transcripts (out=)",
       .kind = ValueKind::kFolder},
      {.name = "--format",
       .value = "NAME,...",
       .meaning = "txt, json, tsv, srt, vtt; else txt,json (format=)"},
      {.name = "--annotate",
       .value = "PATH",
       .meaning = "also films to watch, with crop windows, landmarks and words drawn in: an .mp4 "
                  "file, or of several files a folder (annotate=)",
       .kind = ValueKind::kFile},
      {.name = "--jobs",
       .value = "N",
       .meaning = "files that are read at once (jobs=)",
       .kind = ValueKind::kInteger,
       .range = config::between(1, 256)},
      {.name = "--replace", .value = "", .meaning = "transcribe again what is done (replace=)"}};
  auto of_films = film_options();
  options.insert(options.begin() + 4, of_films.begin(), of_films.end());  // after --annotate
  return options;
}

}  // namespace

Command make_transcribe_command() {
  return {.name = config::TranscribeConfig::kStage,
          .summary = "writes what is said in media files, as text and subtitles",
          .description = kDescription,
          .positionals = {{.name = "FILE", .meaning = "films and sound files", .repeated = true}},
          .options = options_table(),
          .config_keys = keys_of<TranscribeConfig>(),
          .examples = {{"transcribe talk.mp4 --model asr.safetensors --out text --format txt,srt",
                        "from the sound, as text and subtitles"},
                       {"transcribe clips/*.mp4 --model runs/vsr --face speaking --out text",
                        "from the lips of the one who speaks"},
                       {"transcribe talk.mp4 --model runs/vsr --out text --annotate seen.mp4",
                        "and a film that shows what was read, and where"},
                       {"transcribe *.mkv --model runs/asr --model runs/vsr --out text --jobs 4 "
                        "decode.beam_size=10",
                        "sound and lips side by side, four files at once, a smaller beam"}},
          .run = transcribe};
}

}  // namespace raven::cli
