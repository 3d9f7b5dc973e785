// `raven prepare`
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <utility>

#include "cli/commands.h"
#include "cli/one_process.h"
#include "cli/print.h"
#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/core/progress.h"
#include "raven/data/preparation.h"
#include "raven/media/media.h"

namespace raven::cli {
namespace {

constexpr const char* kDescription =
    "Reads LRS3's, LRS2's, VoxCeleb2's and GRID's layouts and any folder of media files, with or "
    "without 68 facial landmarks a frame as .npy files (frames, 68, 2), and writes grey 96 x 96 "
    "mouth crops at 25 frames a second and 16 kHz sound: DIR/manifest.tsv, one list for each "
    "subset and "
    "valid.tsv (of LRS3, or with --hold-out), DIR/shards (tar files with an index) and "
    "DIR/verdicts.tsv, which says of every clip what became of it. Films without landmarks: their "
    "faces are found, and kept in DIR/landmarks; films of 96 x 96 pixels are taken for mouth crops "
    "as they are. A "
    "film without sound is listed with an empty audio column, for lip reading; the sound files of "
    "a plain folder without any video need no landmarks and are listed with an empty video "
    "column, for speech recognition.\n"
    "\n"
    "A run that was stopped or killed goes on when the same command is given again, and ends with "
    "the same bytes; a later run does only what is missing. Exit code 3: more clips failed than "
    "--max-failed allows; the manifests are written all the same.";

/// "512M" -> 536870912.
std::uint64_t parse_size(const std::string& text) {
  constexpr std::string_view kUnits = "KMGT";
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const auto power = unit.size() == 1 ? kUnits.find(unit[0]) : std::string_view::npos;
  const bool known = unit.empty() || power != std::string_view::npos;
  const int shift = unit.empty() ? 0 : static_cast<int>(10 * (power + 1));
  if (error != std::errc() || !known || value == 0 || value > (1ULL << 50 >> shift)) {
    throw ConfigError(fmt::format(
        "--shard-size is '{}', expected bytes as in 500000000, 512M or 2G, at most 1024T", text));
  }
  return value << shift;
}

/// "auto" -> 0, "1200" -> 1200; empty where nothing is said.
std::optional<std::int64_t> parse_hold_out(const std::string& text) {
  if (text.empty()) return std::nullopt;
  if (text == "auto") return 0;
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size() || count < 1) {
    throw ConfigError(fmt::format(
        "--hold-out is '{}', expected a number of utterances, 1 or more, or auto", text));
  }
  return count;
}

data::PreparationOptions options_of(const Arguments& arguments) {
  data::PreparationOptions options;
  for (const auto& input : arguments.list("IN")) options.inputs.emplace_back(input);
  options.output = arguments.path("--out");
  options.landmarks = arguments.path("--landmarks");
  options.landmark_model = arguments.path("--landmark-model");
  options.face = faces::face_choice_of(arguments.text("--face")).value();
  options.layout = corpus::layout_of(arguments.text("--layout")).value();
  options.speaker_rule = arguments.text("--speaker");
  options.subsets = split_at_commas(arguments.text("--subset"));
  options.list = arguments.path("--list");
  options.hold_out = parse_hold_out(arguments.text("--hold-out"));
  const bool raw = arguments.text("--format") == "raw";
  options.clip.format = raw ? corpus::StorageFormat::kRaw : corpus::StorageFormat::kH264;
  options.clip.grey = corpus::grey_of(arguments.text("--grey")).value();
  options.clip.h264.crf = static_cast<int>(arguments.integer("--crf"));
  options.clip.landmark_picture = corpus::landmark_picture_of(arguments.text("--rotation")).value();
  options.clip.segments = {.min_frames = arguments.integer("--min-frames"),
                           .max_frames = arguments.integer("--max-frames")};
  options.clip.limits.max_damaged = arguments.number("--max-damaged");
  options.clip.min_sound = arguments.number("--min-sound");
  options.shard_bytes = parse_size(arguments.text("--shard-size"));
  options.workers = arguments.integer("--workers");
  options.retry_failed = arguments.flag("--retry");
  return options;
}

void print_summary(const data::PreparationSummary& summary,
                   const data::PreparationOptions& options) {
  std::vector<std::pair<std::int64_t, std::string>> counts;
  for (const auto& [verdict, clips] : summary.clips_by_verdict) counts.emplace_back(clips, verdict);
  std::sort(counts.rbegin(), counts.rend());
  for (const auto& [clips, verdict] : counts) {
    print(fmt::format("{:>9}  {}\n", clips, verdict));
  }
  print(fmt::format("{} clips, {} of them in this run; {} utterances, {:.2f} hours\n",
                    summary.num_clips(), summary.newly_prepared, summary.utterances,
                    media::hours(summary.frames)));
  print((options.output / "manifest.tsv").string() + "\n");
  if (summary.failed_share() > 0) {
    print(fmt::format(
        "{} says what is wrong with the others; once mended, they are tried again with --retry\n",
        (options.output / "verdicts.tsv").string()));
  }
}

void print_list(const data::PreparationSummary& summary, const data::PreparationOptions& options) {
  if (summary.listed == 0) return;
  const auto there = summary.listed - summary.missing;
  print(fmt::format(
      "{}: {} of its {} names are there ({:.1f} %){}\n", options.list.string(), there,
      summary.listed, 100 * static_cast<double>(there) / static_cast<double>(summary.listed),
      summary.missing == 0
          ? std::string()
          : fmt::format("; {} has the others", (options.output / data::kMissingFile).string())));
}

void print_validation(const data::PreparationSummary& summary,
                      const data::PreparationOptions& options) {
  const auto& valid = summary.valid;
  if (valid.utterances == 0 && options.hold_out) {
    log::warn("nothing is held out: there are no two utterances to take one from");
  }
  if (valid.utterances == 0) return;
  const auto file = (options.output / "valid.tsv").string();
  print(valid.held_out
            ? fmt::format("{}: {} utterances, held out of {}\n", file, valid.utterances, valid.from)
            : fmt::format("{}: {} utterances that {} lists as well, as published; --hold-out auto "
                          "keeps them out of it\n",
                          file, valid.utterances, valid.from));
  if (valid.held_out && valid.by_clips) {
    log::info(
        "{} and {} share speakers: no whole speaker is few enough for a tenth, or none is known",
        file, valid.from);
  }
}

/// Once a run, because it is often the same for each clip.
void tell_conversions(const data::ConvertedClips& converted) {
  for (const auto& [rate_hz, clips] : converted.sound_by_hz)
    log::info("{} clips: sound of {} Hz converted to {}", clips, rate_hz, media::kSampleRateHz);
  if (converted.frames == 0) return;
  const auto lowest = fmt::format("{:.4g}", converted.lowest_rate_hz),
             highest = fmt::format("{:.4g}", converted.highest_rate_hz);
  log::info("{} clips: {} pictures a second converted to {}", converted.frames,
            lowest == highest ? lowest : lowest + " to " + highest, media::kFrameRateHz);
}

/// What is wrong when it is the same with all of them.
void explain_missing_landmarks(const data::PreparationSummary& summary,
                               const data::PreparationOptions& options) {
  const auto& clips = summary.clips_by_verdict;
  if (clips.count("missing-landmarks") == 0 || clips.count("ok") > 0) return;
  const auto folder =
      options.landmarks.empty() ? options.inputs.front() / "landmarks" : options.landmarks;
  log::error(
      "no clip has landmarks in {}: expected 68 points a frame, as .npy files (frames, 68, 2) "
      "under the same relative paths as the videos; name their folder with --landmarks DIR{}, and "
      "add --retry",
      folder.string(),
      options.landmarks.empty()
          ? fmt::format(", or, for raven to find faces, {}", faces::kLandmarkModelRemedy)
          : " or leave that out, for raven to find faces");
}

ExitCode run(const Arguments& arguments) {
  require_one_process("prepare");
  const auto options = options_of(arguments);
  std::unique_ptr<Progress> progress;
  const auto report = [&](const data::PreparationProgress& state) {
    if (!progress) progress = std::make_unique<Progress>("prepare", state.clips_to_do, "clips");
    progress->update(state.clips_done, fmt::format("{} frames", state.frames_done));
  };
  const auto summary = data::prepare(options, watch_signals(), report);
  progress.reset();
  if (summary.stopped) {
    log::warn("stopped; finished shards are kept, run the same command again to go on");
    return ExitCode::kStopped;
  }
  tell_conversions(summary.converted);
  print_summary(summary, options);
  print_list(summary, options);
  print_validation(summary, options);
  explain_missing_landmarks(summary, options);
  if (summary.failed_share() > arguments.number("--max-failed")) {
    log::error("{:.1f} % of the clips cannot be used, --max-failed allows {:.1f} %; {} says why",
               100 * summary.failed_share(), 100 * arguments.number("--max-failed"),
               (options.output / "verdicts.tsv").string());
    return ExitCode::kTooManySkipped;
  }
  return ExitCode::kDone;
}

std::vector<Option> options_table() {
  return {
      {.name = "--out",
       .value = "DIR",
       .meaning = "folder of the prepared data; one process at a time",
       .kind = ValueKind::kFolder,
       .required = true},
      {.name = "--landmarks",
       .value = "DIR",
       .meaning =
           ".npy or .csv files under the same relative paths as the videos, for all of them; else "
           "IN/landmarks, and where a video has none there its faces are found",
       .kind = ValueKind::kFolder},
      {.name = "--face",
       .value = "WHICH",
       .meaning = "of several faces that are found: the largest, the one nearest to the middle of "
                  "the picture, or the one whose mouth moves with the loudness of the sound",
       .default_value = "largest",
       .choices = {"largest", "central", "speaking"}},
      {.name = "--landmark-model",
       .value = "FILE",
       .meaning = fmt::format("a file of dlib's shape predictor with 68 points, by which faces are "
                              "found; else {}",
                              faces::kDefaultLandmarkModel),
       .kind = ValueKind::kFile},
      {.name = "--layout",
       .value = "NAME",
       .meaning = "how the corpus is laid out; auto goes by its folders",
       .default_value = "auto",
       .choices = {"auto", "lrs3", "lrs2", "voxceleb2", "grid", "folder"}},
      {.name = "--rotation",
       .value = "PICTURE",
       .meaning =
           "where a video asks for a rotation (a phone's), the picture that the landmarks were "
           "made from: as it is stored, or displayed (OpenCV, ffmpeg, MediaPipe); auto decides by "
           "the points",
       .default_value = "auto",
       .choices = {"auto", "stored", "displayed"}},
      {.name = "--speaker",
       .value = "RULE",
       .meaning =
           "who speaks in a clip of a plain folder: parent, the folder that it lies in; top, "
           "the first folder below IN; file, each clip its own; none; or a regular "
           "expression whose first group is found in the path, e.g. '^([^_]+)_'",
       .default_value = "parent"},
      {.name = "--subset", .value = "NAME,...", .meaning = "only these, e.g. trainval,test"},
      {.name = "--list",
       .value = "FILE",
       .meaning = "only clips that this file names, a name a line: a clip, a folder of clips, or "
                  "the rows of a table; DIR/missing.txt tells what of it is not there",
       .kind = ValueKind::kFile},
      {.name = "--hold-out",
       .value = "N",
       .meaning =
           "keep N utterances for validation, at most a tenth, or auto (LRS3: 1200; elsewhere a "
           "tenth): valid.tsv has them, trainval.tsv or dev.tsv does not; of a plain folder "
           "train.tsv has the others. Without it LRS3's valid.tsv lies inside trainval.tsv, as "
           "published"},
      {.name = "--format",
       .value = "FORMAT",
       .meaning =
           "h264: mp4, a tenth of the size; raw: .npy, 9 kB a frame, faster to make and read",
       .default_value = "h264",
       .choices = {"h264", "raw"}},
      {.name = "--grey",
       .value = "KIND",
       .meaning = "luma: the video's own; published: colour as OpenCV reads it, cropped, then "
                  "weighed, some 1.4 levels darker: what published weights learned from",
       .default_value = "luma",
       .choices = {"luma", "published"}},
      {.name = "--crf",
       .value = "N",
       .meaning = "H.264 quality, 0 is lossless",
       .kind = ValueKind::kInteger,
       .default_value = "18",
       .range = config::between(0, 51)},
      {.name = "--min-frames",
       .value = "N",
       .meaning = "shorter clips are left out",
       .kind = ValueKind::kInteger,
       .default_value = "12",
       .range = config::at_least(1)},
      {.name = "--max-frames",
       .value = "N",
       .meaning = "longer clips are cut, between words where their times are known",
       .kind = ValueKind::kInteger,
       .default_value = "600",
       .range = config::at_least(2)},
      {.name = "--min-sound",
       .value = "SHARE",
       .meaning = "clips whose sound covers less of the pictures' length are left out; 0: none are",
       .kind = ValueKind::kNumber,
       .default_value = "0.25",
       .range = config::between(0, 1)},
      {.name = "--shard-size",
       .value = "BYTES",
       .meaning = "a shard ends with the clip that reaches it; K, M, G, T",
       .default_value = "512M"},
      {.name = "--workers",
       .value = "N",
       .meaning = "threads; 0: one for each processor of which the process has a share. Changes no "
                  "byte of the result",
       .kind = ValueKind::kInteger,
       .default_value = "0",
       .range = config::between(0, 4096)},
      {.name = "--max-failed",
       .value = "SHARE",
       .meaning = "exit code 3 when more of the clips cannot be used",
       .kind = ValueKind::kNumber,
       .default_value = "0.05",
       .range = config::between(0, 1)},
      {.name = "--max-damaged",
       .value = "SHARE",
       .meaning =
           "a clip is corrupt when more of its pictures, or of its blocks of sound, are damaged",
       .kind = ValueKind::kNumber,
       .default_value = "0.1",
       .range = config::between(0, 1)},
      {.name = "--retry",
       .value = "",
       .meaning = "try clips again that an earlier run could not use"},
  };
}

}  // namespace

Command make_prepare_command() {
  return {
      .name = "prepare",
      .summary = "turns videos into mouth crops, sound, shards and manifests",
      .description = kDescription,
      .positionals = {{.name = "IN",
                       .meaning = "folders of the corpus",
                       .kind = ValueKind::kFolder,
                       .repeated = true}},
      .options = options_table(),
      .examples = {{"prepare /data/lrs3 --landmarks /data/lrs3_landmarks --out data/lrs3",
                    "LRS3 as it is downloaded, landmarks beside it, on all cores"},
                   {"prepare clips --out data/mine --layout folder --hold-out auto",
                    "a plain folder: a tenth in valid.tsv, the others in train.tsv"},
                   {"prepare clips --out data/clips --layout folder --face speaking --format raw",
                    "any videos; of several faces, the one that speaks; stored without "
                    "compression"},
                   {"prepare /data/vox2 --list english.txt --out data/vox2",
                    "of VoxCeleb2, what a list names; what is not there is told"},
                   {"prepare recordings --out data/speech --layout folder",
                    "sound files alone, for speech recognition"}},
      .run = run,
  };
}

}  // namespace raven::cli
