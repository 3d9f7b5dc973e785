// `raven probe`
#include <spdlog/fmt/fmt.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/cuda_library.h"
#include "cli/print.h"
#include "raven/config/load.h"
#include "raven/config/override.h"
#include "raven/config/probe_config.h"
#include "raven/core/aligned.h"
#include "raven/core/log.h"
#include "raven/core/progress.h"
#include "raven/core/utf8.h"
#include "raven/data/media_roots.h"
#include "raven/data/modality.h"
#include "raven/data/subset.h"
#include "raven/evaluation/probe_run.h"
#include "raven/nn/device.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;
using config::ProbeConfig;
using evaluation::ProbeResults;
using Json = nlohmann::ordered_json;
using Lines = std::vector<std::vector<std::string>>;

constexpr const char* kDescription =
    "Tells what can be read out of a frozen encoder, layer by layer: a linear map and the nearest "
    "neighbours are fitted on half of the clips and asked about the others, of other speakers "
    "(docs/probing.md). labels= names what is read: speaker, and .tsv files of labels of frames or "
    "utterances, as the phonemes.tsv that `raven synth` writes. Of a pre-trained run, which has "
    "both encoders, it also tells how often a clip's sound finds its lips among those of the other "
    "clips, and lips their sound.\n"
    "Shares are in percent, beside what the most frequent label would make; in --json they are "
    "fractions.";

ProbeConfig load(const Arguments& arguments) {
  auto overrides = arguments.overrides();
  for (const auto& [option, key] : {std::pair{"--model", "model"}, {"--modality", "modality"}}) {
    if (arguments.given(option))
      overrides.push_back(config::text_override(key, arguments.text(option)));
  }
  return config::load<ProbeConfig>(arguments.config_file(), overrides).config;
}

data::Manifest clips_of(const ProbeConfig& config,
                        const std::vector<evaluation::LoadedEncoder>& encoders) {
  const std::vector<fs::path> files(config.data.manifest.begin(), config.data.manifest.end());
  const auto all = data::read_manifests(files, data::media_roots(config.data));
  for (const auto& encoder : encoders) {
    const auto modality = encoder.settings.modality;
    const bool is_video = modality == models::Modality::kVideo;
    data::require_modalities(
        all, {.video = is_video, .audio = !is_video},
        fmt::format("the {} encoder of {}", config::modality_name(modality), config.model));
  }
  return data::spread(all, config.data.utterances);
}

std::string percent(double share) { return fmt::format("{:.1f}", 100 * share); }
std::string number(std::int64_t value) { return fmt::format("{}", value); }

std::string table_of(const ProbeResults& results) {
  std::string text;
  Lines probes = {{"encoder", "layer", "labels", "split by", "classes", "fitted", "scored",
                   "linear %", "nearest %", "chance %"}};
  for (const auto& one : results.probes) {
    probes.push_back({one.modality, one.layer, one.labels, one.split, number(one.classes),
                      number(one.fitted), number(one.scored), percent(one.linear),
                      percent(one.nearest), percent(one.majority)});
  }
  if (!results.probes.empty()) text += aligned(probes);
  Lines found = {{"search", "layer", "clips", "first %", "among 10 %", "median rank",
                  "chance: first %", "among 10 %", "median rank"}};
  for (const auto& one : results.retrieval) {
    const auto clips = static_cast<double>(one.clips);
    found.push_back({one.query == "audio" ? "sound finds lips" : "lips find sound", one.layer,
                     number(one.clips), percent(one.scores.recall_1), percent(one.scores.recall_10),
                     fmt::format("{:g}", one.scores.median_rank), percent(1 / clips),
                     percent(std::min(1.0, 10 / clips)), fmt::format("{:g}", (clips + 1) / 2)});
  }
  if (!results.retrieval.empty()) text += (text.empty() ? "" : "\n") + aligned(found);
  return text;
}

Json json_of(const ProbeResults& results, const std::string& model) {
  Json json = {{"model", as_utf8(model)}, {"probes", Json::array()}, {"retrieval", Json::array()}};
  for (const auto& one : results.probes) {
    json["probes"].push_back({{"modality", one.modality},
                              {"layer", one.layer},
                              {"labels", as_utf8(one.labels)},
                              {"split", one.split},
                              {"classes", one.classes},
                              {"fitted", one.fitted},
                              {"scored", one.scored},
                              {"left_out", one.left_out},
                              {"linear", one.linear},
                              {"nearest", one.nearest},
                              {"chance", one.majority}});
  }
  for (const auto& one : results.retrieval) {
    json["retrieval"].push_back({{"query", one.query},
                                 {"layer", one.layer},
                                 {"clips", one.clips},
                                 {"fitted", one.fitted},
                                 {"too_short", one.too_short},
                                 {"recall_1", one.scores.recall_1},
                                 {"recall_10", one.scores.recall_10},
                                 {"median_rank", one.scores.median_rank}});
  }
  json["skipped"] = results.skipped;
  return json;
}

void tell_left_out(const ProbeResults& results) {
  for (const auto& one : results.probes) {
    if (one.left_out == 0) continue;
    log::warn_once("left out of " + one.labels,
                   fmt::format("{}: {} have labels that one half of the clips alone has, and are "
                               "left out",
                               one.labels, one.left_out));
  }
  if (!results.retrieval.empty() && results.retrieval.front().too_short > 0) {
    log::warn("{} clips are shorter than retrieval.window and take no part in the search",
              results.retrieval.front().too_short);
  }
}

ExitCode probe(const Arguments& arguments) {
  const auto stop = watch_signals();
  const auto config = load(arguments);
  load_cuda_library(config.device);
  nn::set_threads(config.threads);
  nn::set_precision(config::Precision::kFp32);
  const auto device = nn::choose_device(config.device, cuda_library_problem());
  auto encoders = evaluation::load_encoders(config.model, config.modality);
  const auto manifest = clips_of(config, encoders);
  std::optional<ProbeResults> results;
  {
    Progress progress("probe", std::ssize(manifest.utterances) * std::ssize(encoders), "clips");
    results =
        evaluation::run_probes(encoders, manifest, config, device, stop,
                               [&](std::int64_t done, std::int64_t) { progress.update(done); });
  }
  if (!results) {
    log::warn("stopped by signal {}", received_signal());
    return ExitCode::kStopped;
  }
  tell_left_out(*results);
  print(arguments.flag("--json") ? json_of(*results, config.model).dump(2) + "\n"
                                 : table_of(*results));
  return ExitCode::kDone;
}

}  // namespace

Command make_probe_command() {
  return {.name = ProbeConfig::kStage,
          .summary = "reads phonemes, speakers and the other modality out of a frozen encoder",
          .description = kDescription,
          .options = {{.name = "--model",
                       .value = "PATH",
                       .meaning = "the encoders (model=)",
                       .kind = ValueKind::kFile},
                      {.name = "--modality",
                       .value = "NAME",
                       .meaning = "one of two encoders alone (modality=)",
                       .choices = {"auto", "video", "audio"}},
                      {.name = "--json", .value = "", .meaning = "for programs"}},
          .config_keys = keys_of<ProbeConfig>(),
          .examples = {{"probe --model runs/quick data.manifest=data/synth/valid.tsv "
                        "labels=[speaker,corpus/phonemes.tsv] layers=all",
                        "phonemes and speakers in every block of both encoders, and sound that "
                        "finds lips"},
                       {"probe --model vsr.pth data.manifest=test.tsv labels=words.tsv "
                        "split=utterance --json",
                        "labels of one's own, of a published encoder"}},
          .run = probe};
}

}  // namespace raven::cli
