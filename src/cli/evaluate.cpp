// `raven evaluate`
#include <cstdio>
#include <filesystem>
#include <set>

#include "commands.h"
#include "cuda_library.h"
#include "raven/config/evaluate_config.h"
#include "raven/config/load.h"
#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/core/progress.h"
#include "raven/data/manifest.h"
#include "raven/evaluation/decoding_run.h"
#include "raven/train/device.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;
using config::EvaluateConfig;

constexpr const char* kDescription =
    "Decodes sets of utterances with one or several recognizers and scores them (docs/scoring.md). "
    "model= names a recognizer (a .safetensors file, or a .pth that `raven import` would take), a "
    "run of `raven finetune`, or one of its checkpoints. How it is decoded is what the file says, "
    "unless decode.* is given. Each set's folder gets hyp.trn and ref.trn for sclite, "
    "alignments.txt, "
    "utterances.jsonl, wer.json, and the worst utterances with pictures.\n"
    "The same command goes on after a stop, with the same result.";

std::string model_name(const fs::path& model) {
  const auto path = fs::absolute(model).lexically_normal();
  const auto stem = path.filename().empty() ? path.parent_path().filename() : path.stem();
  return stem.string();
}

fs::path results_folder(const EvaluateConfig& config, const fs::path& model,
                        const evaluation::LoadedRecognizer& loaded, bool several) {
  if (config.out.empty()) return loaded.folder / "evaluate";
  return several ? fs::path(config.out) / model_name(model) : fs::path(config.out);
}

ExitCode evaluate(const Arguments& arguments) {
  const auto stop = watch_signals();
  const auto load = [&](const std::vector<std::string>& defaults) {
    return config::load<EvaluateConfig>(arguments.config_file(), arguments.overrides(),
                                        {.defaults = defaults})
        .config;
  };
  auto config = load({});
  load_cuda_library(config.device);
  train::set_threads(config.threads);
  const auto device = train::choose_device(config.device, cuda_library_problem());
  std::vector<data::Manifest> sets;
  for (const auto& file : config.data.manifest) sets.push_back(data::read_manifest(file));
  const auto models = config.model;
  std::set<fs::path> used;
  for (const auto& model : models) {
    auto loaded = evaluation::load_recognizer(model);
    config = load(loaded.decoding);
    for (const auto& set : sets) {
      const auto folder =
          results_folder(config, model, loaded, models.size() > 1) / set.file.stem();
      if (!used.insert(fs::weakly_canonical(folder)).second) {
        throw ConfigError(fmt::format(
            "results of {} on {} would replace those of an earlier model or set in {}; give them "
            "other file names, or evaluate them in calls of their own with other out= folders",
            model, set.file.string(), folder.string()));
      }
      std::optional<evaluation::DecodedSet> decoded;
      {
        Progress progress(model_name(model) + " " + set.file.stem().string(), set.total_frames(),
                          "frames");
        decoded =
            evaluation::decode_set(loaded, set, config, device, folder, stop,
                                   [&](std::int64_t done, std::int64_t) { progress.update(done); });
      }
      if (!decoded) {
        log::warn("stopped by signal {}; the same command goes on from there", received_signal());
        return ExitCode::kStopped;
      }
      const auto scores = evaluation::write_set(*decoded, set, config, folder);
      fmt::print("{} on {}\n{}\n{}\n", model, set.file.string(), evaluation::to_text(scores),
                 folder.string());
    }
  }
  return ExitCode::kDone;
}

}  // namespace

Command make_evaluate_command() {
  return {
      .name = "evaluate",
      .summary = "decodes sets with recognizers and scores them",
      .description = kDescription,
      .config_keys = keys_of<EvaluateConfig>(),
      .examples = {{"evaluate model=runs/vsr30 data.manifest=data/lrs3/test.tsv",
                    "beam 40 with CTC weight 0.1, as all published numbers"},
                   {"evaluate model=[a.safetensors,b.safetensors] data.manifest=[test.tsv,val.tsv] "
                    "decode.kind=greedy_ctc out=scores",
                    "two models on two sets, the best unit of every frame"}},
      .run = evaluate};
}

}  // namespace raven::cli
