#include "raven/data/labels.h"

#include <algorithm>
#include <charconv>

#include "raven/core/error.h"
#include "raven/text/normalise.h"
#include "raven/text/words.h"

namespace raven::data {
namespace {

std::vector<std::int64_t> parse_labels(const Utterance& utterance, const text::Units& units,
                                       const std::string& manifest) {
  std::vector<std::int64_t> labels;
  for (const auto word : text::split_words(utterance.text)) {
    std::int64_t id = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || end != word.data() + word.size()) {
      throw DataError(fmt::format("{}: '{}' has label '{}', expected unit ids with blanks between",
                                  manifest, utterance.id, word.substr(0, 60)),
                      "labels");
    }
    if (id <= text::Units::kBlank || id >= units.eos()) {
      throw DataError(
          fmt::format("{}: '{}' has label {}, but the vocabulary has units 1 to {}; this list "
                      "belongs to another text.units file",
                      manifest, utterance.id, id, units.eos() - 1),
          "labels");
    }
    labels.push_back(id);
  }
  return labels;
}

}  // namespace

LabelledManifest label(Manifest manifest, const text::Tokenizer& tokenizer) {
  LabelledManifest result;
  result.manifest.file = manifest.file;
  const auto skip = [&](const Utterance& utterance, const char* reason, const std::string& why) {
    result.skipped.push_back(fmt::format("{}\t{}\t{}", utterance.id, reason, why));
  };
  for (auto& utterance : manifest.utterances) {
    if (utterance.text_is_units) {
      utterance.labels = parse_labels(utterance, tokenizer.units(), manifest.file.string());
    } else {
      text::CharacterReport characters;
      const auto words = text::normalise(utterance.text, &characters);
      utterance.labels = tokenizer.encode(words);
      if (std::count(utterance.labels.begin(), utterance.labels.end(), text::Units::kUnknown) > 0) {
        skip(utterance, "characters",
             fmt::format("{}: the vocabulary has no units for '{}'", manifest.file.string(),
                         words.substr(0, 200)));
        continue;
      }
    }
    if (utterance.labels.empty()) {
      skip(utterance, "no-text",
           fmt::format("{}: '{}' has no transcript", manifest.file.string(), utterance.id));
      continue;
    }
    result.manifest.utterances.push_back(std::move(utterance));
  }
  return result;
}

std::string reference_text(const Utterance& utterance, const text::Units& units) {
  if (!utterance.text_is_units) return text::normalise(utterance.text);
  return units.detokenise_reference(parse_labels(utterance, units, "the manifest"));
}

}  // namespace raven::data
