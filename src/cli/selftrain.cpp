// `raven selftrain`
#include "raven/config/selftrain_config.h"

#include <memory>

#include "cli/commands.h"
#include "cli/cuda_library.h"
#include "cli/start_ranks.h"
#include "raven/config/load.h"
#include "raven/core/interrupt.h"
#include "raven/core/progress.h"
#include "raven/selftrain/self_training.h"

namespace raven::cli {
namespace {

using config::SelftrainConfig;

constexpr const char* kDescription =
    "A fine-tuned recognizer (labeller=) labels clips without transcripts, a filter chooses the "
    "labels that are trusted, and a student learns from the labelled and the pseudo-labelled clips "
    "together; rounds= repeats it, each round labelled by the student before it. As published, "
    "sound labels for the student of lips, the student begins from the pre-trained encoder "
    "(student.config's model.init), and nothing is filtered.\n"
    "run.dir/round_1 gets labels/ (what evaluate writes), labels.tsv (every label with its scores, "
    "confidences, agreement and why it is rejected), label_errors.tsv (word errors by criterion "
    "and "
    "share kept, where unlabelled.manifest has transcripts), pseudo.tsv (the kept labels as a "
    "list) "
    "and student/, a run of `raven finetune`.\n"
    "The same command goes on after a stop or a kill, with the same result, and repeats nothing "
    "that is done.";

ExitCode selftrain(const Arguments& arguments) {
  const auto stop = watch_signals();
  const auto load = [&](const std::vector<std::string>& defaults) {
    return config::load<SelftrainConfig>(arguments.config_file(), arguments.overrides(),
                                         {.defaults = defaults});
  };
  const auto resolved = load({});
  const auto& config = resolved.config;
  if (const auto code =
          start_ranks(SelftrainConfig::kStage, arguments, config.ranks, config.device, stop))
    return *code;
  std::unique_ptr<Progress> progress;
  std::string labeller;
  const auto show = [&](const std::string& name, std::int64_t done, std::int64_t total) {
    if (!progress || name != labeller) progress = std::make_unique<Progress>(name, total, "frames");
    labeller = name;
    progress->update(done);
    if (done == total) progress.reset();
  };
  const auto outcome = selftrain::self_train(
      config,
      {.yaml = resolved.yaml,
       .stop = stop,
       .load = [&](const std::vector<std::string>& defaults) { return load(defaults).config; },
       .load_device =
           [](config::Device device) {
             load_cuda_library(device);
             return cuda_library_problem();
           },
       .progress = show});
  return outcome == train::Outcome::kDone ? ExitCode::kDone : ExitCode::kStopped;
}

}  // namespace

Command make_selftrain_command() {
  return {
      .name = SelftrainConfig::kStage,
      .summary = "labels clips with a recognizer and trains a student on them",
      .description = kDescription,
      .config_keys = keys_of<SelftrainConfig>(),
      .examples = {{"selftrain labeller=runs/asr30 'unlabelled.manifest=[data/lrs3/pretrain.tsv]' "
                    "student.config=finetune/vsr_low_base_lrs3.yaml "
                    "'student.set=[model.init=runs/lrs3, train.accumulate=16]' "
                    "run.dir=runs/selftrain",
                    "a recognizer of sound labels for lip reading, as published"},
                   {"selftrain labeller=runs/asr1 'unlabelled.manifest=[data/rest.tsv]' rounds=2 "
                    "filter.confidence=lowest student.config=student.yaml run.dir=runs/st",
                    "two rounds, labels whose least sure unit has a probability of 0.8"}},
      .run = selftrain};
}

}  // namespace raven::cli
