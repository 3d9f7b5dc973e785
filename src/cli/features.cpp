// `raven features`
#include <cstdio>
#include <filesystem>

#include "cli/commands.h"
#include "cli/cuda_library.h"
#include "cli/film_options.h"
#include "cli/print.h"
#include "cli/start_ranks.h"
#include "cli/tell_stop.h"
#include "raven/config/features_config.h"
#include "raven/config/load.h"
#include "raven/config/override.h"
#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/core/progress.h"
#include "raven/data/media_list.h"
#include "raven/data/media_roots.h"
#include "raven/data/modality.h"
#include "raven/distributed/joined_ranks.h"
#include "raven/distributed/thread_share.h"
#include "raven/evaluation/feature_run.h"
#include "raven/nn/device.h"
#include "raven/train/rank_agreement.h"
#include "raven/weights/model_card.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;
using config::FeaturesConfig;

constexpr const char* kDescription =
    "Writes what an encoder makes of each utterance: a .npy or .safetensors file of (frames, "
    "width) numbers, 25 frames a second (docs/features.md). --model names an encoder or a "
    "recognizer: a .safetensors file, a .pth that `raven import` would take, a run, or one of its "
    "checkpoints. layers= chooses among its outputs: final, numbers of blocks, 0 for what the "
    "first block takes, or all; several give (layers, frames, width), mean=true their mean.\n"
    "Utterances are those of data.manifest=, or MEDIA files: for a video encoder films of "
    "faces, which are found and cropped, or mouth crops of 96 x 96 pixels, for an audio encoder "
    "any sound; a list needs no other modality than the encoder's.\n"
    "The folder gets index.tsv, features.json and skipped.tsv. The same command goes on after a "
    "stop, with the same result. Several ranks (ranks=, torchrun, srun, mpirun) share the "
    "utterances "
    "of a list.";

/// Options that are keys of the configuration as well.
std::vector<std::pair<std::string, std::string>> keys_of_options() {
  auto keys = keys_of_film_options();
  keys.insert(
      keys.end(),
      {{"--model", "model"}, {"--modality", "modality"}, {"--out", "out"}, {"--format", "format"}});
  return keys;
}

FeaturesConfig load(const Arguments& arguments) {
  auto overrides = arguments.overrides();
  for (const auto& [option, key] : keys_of_options()) {
    if (arguments.given(option))
      overrides.push_back(config::text_override(key, arguments.text(option)));
  }
  return config::load<FeaturesConfig>(arguments.config_file(), overrides).config;
}

/// Films of faces are cut once, and the crops kept beside the features.
data::MediaList list_films(const std::vector<fs::path>& files, const FeaturesConfig& config,
                           const std::stop_token& stop) {
  std::optional<data::FoundFaceStore> faces;
  if (config.data.landmarks.empty())
    faces.emplace(
        fs::path(config.out) / "landmarks", config.data.landmark_model,
        faces::FaceOptions{.choice = config.data.face, .limits = data::limits_of_films()});
  const bool published = weights::saw_published_grey(config.model);
  const data::FilmCrops crops{
      .folder = fs::absolute(fs::path(config.out) / "crops"),
      .search = {.landmarks = config.data.landmarks,
                 .faces = faces ? &*faces : nullptr,
                 .grey = published ? corpus::Grey::kPublished : corpus::Grey::kLuma,
                 .watch = {.stop = stop}}};
  return data::list_videos(files, &crops);
}

data::MediaList list(const Arguments& arguments, const FeaturesConfig& config,
                     models::Modality modality, const std::stop_token& stop) {
  if (!config.data.manifest.empty()) {
    const std::vector<fs::path> files(config.data.manifest.begin(), config.data.manifest.end());
    data::MediaList listed{.manifest = data::read_manifests(files, data::media_roots(config.data))};
    const bool is_video = modality == models::Modality::kVideo;
    data::require_modalities(
        listed.manifest, {.video = is_video, .audio = !is_video},
        fmt::format("the {} encoder of {}", is_video ? "video" : "audio", config.model));
    return listed;
  }
  std::vector<fs::path> files;
  for (const auto& file : arguments.list("MEDIA")) files.emplace_back(file);
  return modality == models::Modality::kVideo ? list_films(files, config, stop)
                                              : data::list_sounds(files);
}

void check_source(const Arguments& arguments, const FeaturesConfig& config) {
  const bool listed = !config.data.manifest.empty(), given = arguments.given("MEDIA");
  if (listed == given) {
    throw ConfigError(listed ? "raven features: data.manifest and MEDIA files are both given; one "
                               "of them says what is encoded"
                             : "raven features: nothing to encode; give data.manifest=FILE or "
                               "MEDIA files");
  }
}

/// What one rank does, which may be all.
ExitCode features_as_rank(const Arguments& arguments, const FeaturesConfig& config,
                          const std::stop_token& stop, const torch::Device& device,
                          distributed::Communicator& ranks) {
  if (ranks.size() > 1 && arguments.given("MEDIA")) {
    throw ConfigError(
        "MEDIA files are encoded by one process; start one, or give several a list "
        "(data.manifest=)");
  }
  auto encoder = evaluation::load_encoder(config.model, config.modality);
  encoder.settings.whole_sound = config.data.whole_sound.value_or(encoder.settings.whole_sound);
  data::MediaList media;
  try {
    media = list(arguments, config, encoder.settings.modality, stop);
  } catch (const faces::SearchStopped&) {
    return tell_stop();
  }
  std::optional<evaluation::FeatureCounts> counts;
  {
    std::optional<Progress> progress;
    if (ranks.rank() == 0) progress.emplace("features", media.manifest.total_frames(), "frames");
    counts = evaluation::write_features(
        encoder, media.manifest, config, device, stop,
        [&](std::int64_t done, std::int64_t) {
          if (progress) progress->update(done);
        },
        media.skips, ranks);
  }
  if (!counts) return tell_stop();
  if (ranks.rank() == 0) {
    print(fmt::format("{} {}: {} utterances written, {} kept, {} skipped\n{}\n", counts->shape,
                      config::enum_name(config.type), counts->written, counts->kept,
                      std::ssize(media.skips->ids), config.out));
  }
  ranks.barrier();  // what rank 0 wrote is there for all
  return ExitCode::kDone;
}

ExitCode features(const Arguments& arguments) {
  const auto stop = watch_signals();
  const auto config = distributed::before_joining([&] {
    auto loaded = load(arguments);
    check_source(arguments, loaded);
    return loaded;
  });
  const auto wanted = arguments.given("MEDIA") && config.ranks == 0 ? 1 : config.ranks;
  const auto code = distributed::before_joining(
      [&] { return start_ranks(FeaturesConfig::kStage, arguments, wanted, config.device, stop); });
  if (code) return *code;
  distributed::JoinedRanks joined(config.distributed, stop);
  return joined.run([&](distributed::Communicator& ranks) {
    load_cuda_library(config.device);
    nn::set_threads(distributed::agree_on_threads(ranks, config.threads));
    nn::set_precision(config::Precision::kFp32);
    const auto device =
        nn::choose_device(config.device, cuda_library_problem(), joined.launch().local_rank);
    train::check_same_start(ranks, config::flatten(config));
    return features_as_rank(arguments, config, stop, device, ranks);
  });
}

std::vector<Option> options_table() {
  auto options = std::vector<Option>{{.name = "--model",
                                      .value = "PATH",
                                      .meaning = "the encoder (model=)",
                                      .kind = ValueKind::kFile},
                                     {.name = "--out",
                                      .value = "DIR",
                                      .meaning = "folder of the features (out=)",
                                      .kind = ValueKind::kFolder},
                                     {.name = "--modality",
                                      .value = "NAME",
                                      .meaning = "which encoder, where there are two (modality=)",
                                      .choices = {"auto", "video", "audio"}},
                                     {.name = "--format",
                                      .value = "NAME",
                                      .meaning = "of the files (format=)",
                                      .choices = {"npy", "safetensors"}}};
  for (auto& option : film_options()) options.push_back(std::move(option));
  return options;
}

}  // namespace

Command make_features_command() {
  return {
      .name = config::FeaturesConfig::kStage,
      .summary = "writes an encoder's outputs for each utterance",
      .description = kDescription,
      .positionals = {{.name = "MEDIA",
                       .meaning = "films, mouth crops or sound files, where there is no manifest",
                       .required = false,
                       .repeated = true}},
      .options = options_table(),
      .config_keys = keys_of<FeaturesConfig>(),
      .examples = {{"features --model runs/lrs3 --modality video data.manifest=data/lrs3/test.tsv "
                    "--out features/video",
                    "the last block of a pre-training run's video student, behind its norm"},
                   {"features --model encoder.safetensors data.manifest=test.tsv layers=all "
                    "type=float16 --format safetensors --out features/all",
                    "every block, to be weighted by another program"},
                   {"features clip1.mp4 clip2.mp4 --model vsr.pth layers=[9,10,11,12] mean=true "
                    "--out features/mean",
                    "the mean of four blocks, for files without a manifest"}},
      .run = features};
}

}  // namespace raven::cli
