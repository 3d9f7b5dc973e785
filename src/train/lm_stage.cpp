#include "raven/train/lm_stage.h"

#include "raven/artifacts/run_files.h"
#include "raven/artifacts/vocabulary.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/text/ngram.h"
#include "raven/train/lm_task.h"
#include "raven/train/sentence_batches.h"
#include "raven/train/stage_data.h"

namespace raven::train {
namespace {

void tell(const LmText& text) {
  if (text.excluded > 0) {
    log::info("{} sentences left out: they are held out, or in data.exclude", text.excluded);
  }
  if (text.cut > 0) log::info("{} sentences longer than data.longest were cut", text.cut);
  const auto units = text.training.sentences.num_units();
  if (text.unknown * 100 > units) {
    log::warn(
        "{} of {} units of the text are <unk>: its characters are not those of the vocabulary",
        text.unknown, units);
  }
}

std::vector<std::string> names_of(const text::Units& units) {
  std::vector<std::string> names;
  for (std::int64_t id = 0; id < units.size(); ++id) names.push_back(units.piece(id));
  return names;
}

/// Of the training sentences, in their order.
std::string hash_of(const text::Sentences& sentences) {
  std::string lengths;
  for (std::int64_t i = 0; i < sentences.size(); ++i)
    lengths += fmt::format("{} ", sentences[i].size());
  const auto units = std::as_bytes(sentences.units());
  return checksum_text(checksum(lengths) ^
                       checksum({reinterpret_cast<const char*>(units.data()), units.size()}));
}

}  // namespace

void LmStage::read_data(const torch::Device& /*device*/, const data::Share& share) {
  share_ = share;
  tokenizer_ =
      text::make_tokenizer({.units_file = config_.text.units, .model_file = config_.text.model});
  text_ = read_lm_text(config_.data, *tokenizer_);
  tell(text_);
}

std::optional<Training> LmStage::prepare(artifacts::RunFolder& folder, const torch::Device& device,
                                         const std::stop_token& /*stop*/) {
  RAVEN_CHECK(tokenizer_ != nullptr, "the text was not read");
  const auto& units = tokenizer_->units();
  if (folder.is_owner()) write_vocabulary(folder, units);
  const auto bigram = text::kneser_ney_bigram(text_.training.sentences, names_of(units));
  if (folder.is_owner())
    write_file_atomically(folder.path() / artifacts::kBigramFile, bigram.arpa());
  const bool held_out = text_.held_out.sentences.size() > 0;
  const double yardstick = held_out ? bigram_perplexity(bigram, units, text_.held_out) : 0;
  std::map<std::string, std::string> facts = {
      {"sentences", fmt::format("{}", text_.training.sentences.size())},
      {"words", fmt::format("{}", text_.training.words)},
      {"units", fmt::format("{}", units.size())},
      {"held_out_sentences", fmt::format("{}", text_.held_out.sentences.size())},
      {"excluded_sentences", fmt::format("{}", text_.excluded)}};
  const auto hash = hash_of(text_.training.sentences);
  auto source = std::make_unique<SentenceSource>(
      std::move(text_.training.sentences), units.eos(), config_.data.max_units,
      static_cast<std::uint64_t>(config_.run.seed), share_);
  const auto batches = source->batches_per_epoch();
  return Training{.source = std::move(source),
                  .length = RunLength::of(config_.train, config_.optimizer, batches),
                  .task = std::make_unique<LmTask>(config_, device, units,
                                                   std::move(text_.held_out), yardstick),
                  .evaluate_every = held_out ? steps_of_epochs(config_.validation.every_epochs,
                                                               config_.train.accumulate, batches)
                                             : 0,
                  .best = best_settings(config_.validation.keep_best, config_.validation.patience),
                  .data_hash = hash,
                  .data = fmt::format("{}", fmt::join(config_.data.text, ", ")),
                  .facts = std::move(facts),
                  .run_files = {{artifacts::kUnitsFile, artifacts::units_checksum(units)}},
                  .results = fmt::format("the language model is {}, the bigram beside it {}",
                                         (folder.path() / artifacts::kLanguageModelFile).string(),
                                         artifacts::kBigramFile)};
}

}  // namespace raven::train
