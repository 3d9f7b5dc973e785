// `raven lm`
#include "cli/commands.h"
#include "cli/train_stage.h"
#include "raven/config/lm_config.h"

namespace raven::cli {
namespace {

constexpr const char* kDescription =
    "Trains a Transformer language model for the search (decode.lm of evaluate) on text: files "
    "with a sentence a line, or the transcripts of lists. The units are those of the recognizer "
    "that it will help, so give the same text.model. Sentences of data.exclude and of the held-out "
    "text are never learnt: name the lists of validation and tests there.\n"
    "The folder run.dir gets what every run gets, bigram.arpa at the start and "
    "language_model.safetensors at the end. valid_perplexity is by word, with the end of a "
    "sentence counted; valid_perplexity_bigram beside it is that of the bigram: a model that is "
    "not below it has learnt less than counting pairs does.\n"
    "The same command goes on from the newest checkpoint, with the same result as a run that was "
    "never stopped.";

}  // namespace

Command make_lm_command() {
  return {
      .name = config::LmConfig::kStage,
      .summary = "trains a language model for the search",
      .description = kDescription,
      .config_keys = keys_of<config::LmConfig>(),
      .examples = {{"lm --config lm/small.yaml 'data.text=[news.txt]' "
                    "data.exclude=[data/lrs3/test.tsv] text.model=words.model run.dir=runs/lm",
                    "a small model of a text file that must not hold the test's sentences"},
                   {"lm --config lm/published.yaml 'data.text=[text.txt, data/lrs3/pretrain.tsv]'",
                    "the published network; then: raven evaluate ... decode.lm=runs/lm "
                    "decode.lm_weight=0.3"}},
      .run = [](const Arguments& arguments) {
        return train_stage(config::LmConfig::kStage, arguments);
      }};
}

}  // namespace raven::cli
