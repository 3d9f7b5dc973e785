// `raven pretrain`
#include "cli/commands.h"
#include "cli/train_stage.h"
#include "raven/config/pretrain_config.h"

namespace raven::cli {
namespace {

constexpr const char* kDescription =
    "Trains a video and an audio encoder on unlabelled clips: each student predicts what slow "
    "copies of both make of the same clip (RAVEn, arXiv 2212.06246); every utterance needs video "
    "and audio. The folder run.dir gets the resolved configuration, checkpoints, metrics.jsonl, "
    "TensorBoard events, curves.svg and, at the end, encoders/.\n"
    "The same command goes on from the newest checkpoint, with the same result as a run that was "
    "never stopped (on a CPU with the same number of threads, bit for bit). A signal (SIGINT, "
    "SIGTERM, SIGHUP, SIGUSR1) ends it after the current step with a checkpoint and exit code 75; "
    "a second Ctrl-C or SIGTERM ends it at once.";

}  // namespace

Command make_pretrain_command() {
  return {
      .name = config::PretrainConfig::kStage,
      .summary = "pre-trains RAVEn or BRAVEn on unlabelled clips",
      .description = kDescription,
      .config_keys = keys_of<config::PretrainConfig>(),
      .examples = {{"pretrain --config lrs3.yaml train.accumulate=32 run.dir=runs/lrs3",
                    "RAVEn Base on LRS3, the published step of 32 GPUs on one; again to go on "
                    "after a stop"},
                   {"pretrain --config lrs3.yaml run.dir=runs/p04 mask.prob=0.4 train.steps=20000",
                    "the same with stronger masking and a fixed length"}},
      .run = [](const Arguments& arguments) {
        return train_stage(config::PretrainConfig::kStage, arguments);
      }};
}

}  // namespace raven::cli
