#include "raven/train/lm_text.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <unordered_set>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/lines.h"
#include "raven/core/random.h"
#include "raven/core/tried_path.h"
#include "raven/data/labels.h"
#include "raven/data/manifest.h"
#include "raven/text/normalise.h"
#include "raven/text/words.h"

namespace raven::train {
namespace {

namespace fs = std::filesystem;

using Take = std::function<void(const std::string& sentence)>;

/// Calls `take` with each sentence of a text file or list, normalised; empty ones too.
void for_each_sentence(const std::string& file, const std::string& key, const text::Units& units,
                       const Take& take) {
  if (!fs::exists(file))
    throw ConfigError(fmt::format("{}: there is no {}", key, tried_path(file)));
  const auto ending = fs::path(file).extension();
  if (ending == ".tsv" || ending == ".csv") {
    for (const auto& utterance : data::read_manifest(file).utterances)
      take(data::reference_text(utterance, units));
    return;
  }
  const auto content = read_file(file, kMaxFileBytesByDefault, FileKind::kAny);
  Lines lines(content, file);
  while (const auto line = lines.next()) take(text::normalise(*line));
}

/// By its words alone: the same sentence is on the same side in every text.
bool is_held_out(const std::string& sentence, double share) {
  constexpr double kAll = 18446744073709551616.0;  // 2^64
  return static_cast<double>(mix_seed({checksum(sentence)})) < share * kAll;
}

class Reader {
 public:
  Reader(const config::SentenceDataConfig& config, const text::Tokenizer& tokenizer)
      : config_(config), tokenizer_(tokenizer) {}

  LmText read() {
    for (const auto& file : config_.exclude) {
      each(file, "data.exclude",
           [&](const std::string& sentence) { excluded_.insert(checksum(sentence)); });
    }
    if (!config_.valid_text.empty()) {
      each(config_.valid_text, "data.valid_text", [&](const std::string& sentence) {
        excluded_.insert(checksum(sentence));
        add(sentence, text_.held_out);
      });
    }
    for (const auto& file : config_.text) {
      each(file, "data.text", [&](const std::string& sentence) { take(sentence); });
    }
    for (const auto unit : text_.training.sentences.units())
      text_.unknown += unit == text::Units::kUnknown ? 1 : 0;
    check();
    return std::move(text_);
  }

 private:
  void each(const std::string& file, const std::string& key, const Take& take) {
    for_each_sentence(file, key, tokenizer_.units(), [&](const std::string& sentence) {
      if (!sentence.empty()) take(sentence);
      text_.without += sentence.empty() ? 1 : 0;
    });
  }

  void take(const std::string& sentence) {
    if (excluded_.contains(checksum(sentence))) {
      ++text_.excluded;
    } else if (config_.valid_text.empty() && is_held_out(sentence, config_.valid_share)) {
      add(sentence, text_.held_out);
    } else {
      add(sentence, text_.training);
    }
  }

  void add(const std::string& sentence, SentenceSet& set) {
    const auto words = text::split_words(sentence);
    set.words += std::ssize(words);
    auto units = tokenizer_.encode(sentence);
    if (std::ssize(units) <= config_.longest) {
      set.sentences.add(units);
      return;
    }
    ++text_.cut;
    add_in_parts(words, set);
  }

  /// A word alone may be longer than a part: it is cut as well.
  void add_in_parts(const std::vector<std::string_view>& words, SentenceSet& set) {
    const auto longest = static_cast<std::size_t>(config_.longest);
    std::vector<std::int64_t> part;
    const auto end_part = [&] {
      if (!part.empty()) set.sentences.add(part);
      part.clear();
    };
    for (const auto word : words) {
      const auto units = tokenizer_.encode(word);
      if (part.size() + units.size() > longest) end_part();
      for (std::size_t at = 0; at < units.size(); at += longest) {
        const auto count = std::min(longest, units.size() - at);
        if (at > 0) end_part();
        part.insert(part.end(), units.begin() + static_cast<std::ptrdiff_t>(at),
                    units.begin() + static_cast<std::ptrdiff_t>(at + count));
      }
    }
    end_part();
  }

  void check() const {
    if (text_.training.sentences.size() == 0) {
      throw ConfigError(fmt::format(
          "data.text: no sentence to learn from in {} ({} without a word, {} left out, {} held "
          "out)",
          fmt::join(config_.text, ", "), text_.without, text_.excluded,
          text_.held_out.sentences.size()));
    }
  }

  const config::SentenceDataConfig& config_;
  const text::Tokenizer& tokenizer_;
  std::unordered_set<std::uint64_t> excluded_;  // checksums of sentences
  LmText text_;
};

}  // namespace

LmText read_lm_text(const config::SentenceDataConfig& config, const text::Tokenizer& tokenizer) {
  return Reader(config, tokenizer).read();
}

}  // namespace raven::train
