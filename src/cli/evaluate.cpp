// `raven evaluate`
#include <filesystem>
#include <map>
#include <set>

#include "cli/commands.h"
#include "cli/cuda_library.h"
#include "cli/model_name.h"
#include "cli/print.h"
#include "cli/start_ranks.h"
#include "cli/tell_stop.h"
#include "raven/config/evaluate_config.h"
#include "raven/config/load.h"
#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/core/progress.h"
#include "raven/data/grey_kinds.h"
#include "raven/distributed/joined_ranks.h"
#include "raven/distributed/thread_share.h"
#include "raven/evaluation/decoded_with.h"
#include "raven/evaluation/decoding_run.h"
#include "raven/evaluation/evaluation_set.h"
#include "raven/evaluation/results_table.h"
#include "raven/nn/device.h"
#include "raven/train/rank_agreement.h"
#include "raven/weights/model_card.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;
using config::EvaluateConfig;

constexpr const char* kDescription =
    "Decodes sets of utterances with one or several recognizers and scores them (docs/scoring.md). "
    "model= names a recognizer (a .safetensors file, or a .pth that `raven import` would take), a "
    "run of `raven finetune`, or one of its checkpoints; the utterances need what it takes, video "
    "or audio. How it is decoded is what the file says, unless decode.* is given; decode.lm= and "
    "decode.lm_weight= add a language model. Each set's folder gets hyp.trn and ref.trn for "
    "sclite, recognised.tsv (the list with what was recognised), alignments.txt, utterances.jsonl, "
    "wer.json, and the worst utterances with pictures, with decode.nbest= also nbest.jsonl. "
    "Utterances without a transcript are decoded and not scored. noise.kind= repeats it with noise "
    "in the sound, each level as a set of its own.\n"
    "The same command goes on after a stop, with the same result, and decodes nothing once it is "
    "done; decoded.jsonl keeps the hypotheses. Several ranks (ranks=, torchrun, srun, mpirun) "
    "share "
    "the utterances, with the same result as one. A folder that holds results of other weights, "
    "another list or another search is left as it is: out= names another one, --replace gives "
    "the old results up.";

fs::path results_folder(const EvaluateConfig& config, const fs::path& model,
                        const evaluation::LoadedRecognizer& loaded, bool several) {
  if (config.out.empty()) return loaded.folder / "evaluate";
  return several ? fs::path(config.out) / model_name(model) : fs::path(config.out);
}

/// Throws ConfigError when the sets lack what the model sees or hears, or it does not hear noise.
void check_modality(const EvaluateConfig& config, const std::string& model,
                    config::Modality modality, const std::vector<evaluation::EvaluationSet>& sets) {
  const bool hears = modality == config::Modality::kAudio;
  if (config.noise.kind != config::NoiseKind::kNone && !hears) {
    throw ConfigError(
        fmt::format("noise.kind is {}, but {} reads lips and hears nothing; evaluate it by itself",
                    config::enum_name(config.noise.kind), model));
  }
  for (const auto& set : sets) evaluation::require_input(set.manifest, modality, model);
}

/// Once a list, however many sets with noise are made of it.
void tell_grey(const std::string& model, config::Modality modality,
               const std::vector<evaluation::EvaluationSet>& sets) {
  if (modality != config::Modality::kVideo || !weights::saw_published_grey(model)) return;
  std::set<std::string> lines;
  for (const auto& set : sets) lines.insert(data::tell_luma(set.manifest, model));
  for (const auto& line : lines) {
    if (!line.empty()) log::warn("{}", line);
  }
}

/// Every model, before the first of them decodes anything. Each is read once, and the network of
/// one alone is in memory at a time.
std::vector<evaluation::RecognizerFile> open_all(
    const EvaluateConfig& config, const std::vector<evaluation::EvaluationSet>& sets) {
  std::vector<evaluation::RecognizerFile> all;
  for (const auto& model : config.model) {
    all.push_back(evaluation::open_recognizer(model));
    check_modality(config, model, all.back().settings.modality, sets);
    tell_grey(model, all.back().settings.modality, sets);
    if (config.model.size() > 1) evaluation::load_recognizer(all.back());  // or says what is wrong
  }
  return all;
}

EvaluateConfig load(const Arguments& arguments, const std::vector<std::string>& defaults) {
  return config::load<EvaluateConfig>(arguments.config_file(), arguments.overrides(),
                                      {.defaults = defaults})
      .config;
}

/// What one rank does, which may be all.
ExitCode evaluate_as_rank(const Arguments& arguments, EvaluateConfig config,
                          const std::stop_token& stop, const torch::Device& device,
                          distributed::Communicator& ranks) {
  const bool writes = ranks.rank() == 0;
  const auto sets = evaluation::evaluation_sets(config);
  const auto models = config.model;
  const auto files = open_all(config, sets);
  evaluation::LoadedLanguageModel language_model;
  if (!config.decode.lm.empty()) {
    language_model = evaluation::load_language_model(config.decode.lm);
    for (const auto& file : files)
      evaluation::check_same_units(language_model, file.units, file.file.string());
  }
  std::set<fs::path> used;
  std::vector<evaluation::NamedTotals> all;
  for (std::size_t m = 0; m < models.size(); ++m) {
    const auto& model = models[m];
    auto loaded = evaluation::load_recognizer(files[m]);
    config = load(arguments, loaded.decoding);
    loaded.language_model = language_model;
    loaded.settings.whole_sound = config.data.whole_sound.value_or(loaded.settings.whole_sound);
    std::map<std::string, std::vector<evaluation::Group>> levels;  // by list
    for (const auto& set : sets) {
      const auto folder = results_folder(config, model, loaded, models.size() > 1) / set.name;
      if (!used.insert(fs::weakly_canonical(folder)).second) {
        throw ConfigError(fmt::format(
            "results of {} on {} would replace those of an earlier model or set in {}; give them "
            "other file names, or evaluate them in calls of their own with other out= folders",
            model, set.manifest.file.string(), folder.string()));
      }
      std::optional<evaluation::Scores> scores;
      {
        std::optional<Progress> progress;
        if (writes)
          progress.emplace(model_name(model) + " " + set.name, set.manifest.total_frames(),
                           "frames");
        scores = evaluation::evaluate_set(
            loaded, set, config, device, folder, stop,
            [&](std::int64_t done, std::int64_t) {
              if (progress) progress->update(done);
            },
            arguments.flag("--replace") ? evaluation::OtherResults::kReplace
                                        : evaluation::OtherResults::kRefuse,
            ranks);
      }
      if (!scores) {
        return tell_stop();
      }
      if (!writes) continue;
      print(fmt::format("{} on {}\n{}\n{}\n{}\n", model, set.name,
                        evaluation::to_text(*scores->with), evaluation::to_text(*scores),
                        folder.string()));
      all.push_back({.names = {model, set.name}, .totals = scores->totals});
      levels[set.manifest.file.string()].push_back(
          {.name = set.name, .from = set.snr_db, .to = {}, .totals = scores->totals});
    }
    for (const auto& [list, groups] : levels)
      print(evaluation::to_text("noise, " + model_name(model), groups));
  }
  if (writes && (models.size() > 1 || config.data.manifest.size() > 1))
    print(evaluation::results_table({"model", "set"}, all));
  ranks.barrier();  // what rank 0 wrote is there for all
  return ExitCode::kDone;
}

ExitCode evaluate(const Arguments& arguments) {
  const auto stop = watch_signals();
  const auto config = distributed::before_joining([&] { return load(arguments, {}); });
  const auto code = distributed::before_joining([&] {
    return start_ranks(EvaluateConfig::kStage, arguments, config.ranks, config.device, stop);
  });
  if (code) return *code;
  distributed::JoinedRanks joined(config.distributed, stop);
  return joined.run([&](distributed::Communicator& ranks) {
    load_cuda_library(config.device);
    nn::set_threads(distributed::agree_on_threads(ranks, config.threads));
    nn::set_precision(config::Precision::kFp32);
    const auto device =
        nn::choose_device(config.device, cuda_library_problem(), joined.launch().local_rank);
    train::check_same_start(ranks, config::flatten(config));
    return evaluate_as_rank(arguments, config, stop, device, ranks);
  });
}

}  // namespace

Command make_evaluate_command() {
  return {
      .name = config::EvaluateConfig::kStage,
      .summary = "decodes sets with recognizers and scores them",
      .description = kDescription,
      .options = {{.name = "--replace",
                   .value = "",
                   .meaning = "results of other weights, another list or another search that a "
                              "folder holds are given up; else they are refused"}},
      .config_keys = keys_of<EvaluateConfig>(),
      .examples = {{"evaluate model=runs/vsr30 data.manifest=data/lrs3/test.tsv",
                    "beam 40 with CTC weight 0.1, as all published numbers"},
                   {"evaluate model=[a.safetensors,b.safetensors] data.manifest=[test.tsv,val.tsv] "
                    "decode.kind=greedy_ctc out=scores",
                    "two models on two sets, the best unit of every frame"},
                   {"evaluate model=runs/vsr30 data.manifest=data/lrs3/test.tsv "
                    "decode.lm=lm.safetensors decode.lm_weight=0.3 decode.nbest=10",
                    "with a language model over the same units, and the ten best hypotheses"},
                   {"evaluate model=runs/asr30 data.manifest=data/lrs3/test.tsv noise.kind=babble "
                    "noise.snr_db=[-5,0,5]",
                    "clean, and with other speakers' voices at three levels"}},
      .run = evaluate};
}

}  // namespace raven::cli
