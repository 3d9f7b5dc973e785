#include "raven/text/tokenizer_training.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>
#include <spdlog/fmt/fmt.h>

#include <cstddef>
#include <regex>
#include <unordered_map>

#include "raven/core/error.h"

namespace raven::text {
namespace {

constexpr std::int64_t kDefaultUnigramSize = 1000;

class Lines : public sentencepiece::SentenceIterator {
 public:
  explicit Lines(const std::vector<std::string>& lines) : lines_(lines) {}
  [[nodiscard]] bool done() const override { return next_ == lines_.size(); }
  void Next() override { ++next_; }
  [[nodiscard]] const std::string& value() const override { return lines_[next_]; }
  [[nodiscard]] sentencepiece::util::Status status() const override { return {}; }

 private:
  const std::vector<std::string>& lines_;
  std::size_t next_ = 0;
};

std::string model_type(VocabularyKind kind) {
  switch (kind) {
    case VocabularyKind::kUnigram:
      return "unigram";
    case VocabularyKind::kCharacter:
      return "char";
    case VocabularyKind::kWord:
      return "word";
  }
  throw InternalError("an unknown kind of vocabulary");
}

/// SentencePiece's complaint about the size, in our words.
std::string explained(const std::string& message, std::int64_t size) {
  std::smatch found;
  if (std::regex_search(message, found, std::regex("value <= ([0-9]+)"))) {
    return fmt::format("a vocabulary of {} is too large for this text, expected at most {}", size,
                       found[1].str());
  }
  if (std::regex_search(message, found, std::regex("required_chars\\. [0-9]+ vs ([0-9]+)"))) {
    return fmt::format(
        "a vocabulary of {} is too small, expected at least {}: one for each character "
        "and <unk>",
        size, found[1].str());
  }
  return fmt::format("SentencePiece cannot train a vocabulary of {}: {}", size, message);
}

void check_size(const std::string& model, std::int64_t size) {
  sentencepiece::SentencePieceProcessor processor;
  const auto status = processor.LoadFromSerializedProto(model);
  RAVEN_CHECK(status.ok(), "SentencePiece cannot read its own model: {}", status.ToString());
  if (size > 0 && processor.GetPieceSize() < size) {
    throw ConfigError(fmt::format(
        "a vocabulary of {} is too large for this text, expected at most {}; leave the size out to "
        "get them all",
        size, processor.GetPieceSize()));
  }
}

}  // namespace

VocabularyKind vocabulary_kind(const std::string& name) {
  for (const auto kind :
       {VocabularyKind::kUnigram, VocabularyKind::kCharacter, VocabularyKind::kWord}) {
    if (model_type(kind) == name) return kind;
  }
  throw ConfigError(
      fmt::format("there is no kind of vocabulary '{}', expected unigram, char or word", name));
}

std::string train_sentencepiece(const std::vector<std::string>& lines,
                                const TokenizerTraining& options) {
  std::size_t bytes = 0;
  for (const auto& line : lines) bytes += line.size();
  if (bytes == 0) throw ConfigError("there is no text to learn a vocabulary from");
  const bool all = options.size == 0 && options.kind != VocabularyKind::kUnigram;
  const auto size = options.size == 0 ? kDefaultUnigramSize : options.size;
  // One thread, because sums over threads differ in their last digits with the number of them.
  const std::unordered_map<std::string, std::string> settings = {
      {"model_type", model_type(options.kind)},
      {"vocab_size", std::to_string(size)},
      {"use_all_vocab", all ? "true" : "false"},
      {"hard_vocab_limit", options.kind == VocabularyKind::kUnigram ? "true" : "false"},
      {"normalization_rule_name", "identity"},
      {"character_coverage", "1.0"},
      {"unk_id", "0"},
      {"bos_id", "-1"},
      {"eos_id", "-1"},
      {"pad_id", "-1"},
      {"num_threads", "1"},
      {"max_sentence_length", std::to_string(1 << 30)},
      {"minloglevel", "2"}};
  Lines iterator(lines);
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(settings, &iterator, &model);
  if (!status.ok()) throw ConfigError(explained(status.ToString(), size));
  check_size(model, options.size);
  return model;
}

}  // namespace raven::text
