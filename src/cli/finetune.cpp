// `raven finetune`
#include "cli/commands.h"
#include "cli/train_stage.h"
#include "raven/config/finetune_config.h"

namespace raven::cli {
namespace {

constexpr const char* kDescription =
    "Trains a recognizer on labelled clips: a pre-trained encoder (model.init), or a fresh one, "
    "with a CTC head and an attention decoder; with model.init_parts=all it goes on from a whole "
    "recognizer. Every utterance needs what model.modality says, "
    "video or audio. The folder run.dir gets what a pre-training run gets and, at the end, "
    "recognizer.safetensors: the mean of the last checkpoints, with all that decoding needs.\n"
    "The same command goes on from the newest checkpoint, with the same result as a run that was "
    "never stopped. A signal (SIGINT, SIGTERM, SIGHUP, SIGUSR1) ends it after the current step "
    "with a checkpoint and exit code 75; a second Ctrl-C or SIGTERM ends it at once.";

}  // namespace

Command make_finetune_command() {
  return {.name = config::FinetuneConfig::kStage,
          .summary = "fine-tunes a recognizer on labelled clips",
          .description = kDescription,
          .config_keys = keys_of<config::FinetuneConfig>(),
          .examples = {{"finetune --config finetune/vsr_low_base_lrs3.yaml train.accumulate=16 "
                        "model.init=runs/lrs3 run.dir=runs/vsr30",
                        "lip reading from 30 labelled hours, the published step on one GPU"},
                       {"finetune --config finetune/vsr_low_base_lrs3.yaml model.init=runs/vsr30 "
                        "model.init_parts=all data.manifest=data/mine/train.tsv run.dir=runs/mine",
                        "the same recognizer goes on with other clips and the same vocabulary"},
                       {"finetune --config finetune/asr_low_base_lrs3.yaml model.init= "
                        "data.labelled_hours=1 run.dir=runs/asr1",
                        "speech recognition from random weights and one hour"}},
          .run = [](const Arguments& arguments) {
            return train_stage(config::FinetuneConfig::kStage, arguments);
          }};
}

}  // namespace raven::cli
