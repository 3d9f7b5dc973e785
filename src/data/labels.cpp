#include "raven/data/labels.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "raven/core/error.h"
#include "raven/text/normalise.h"
#include "raven/text/words.h"

namespace raven::data {
namespace {

std::vector<std::int64_t> parse_labels(const Utterance& utterance, const text::Units& units,
                                       const std::filesystem::path& manifest) {
  std::vector<std::int64_t> labels;
  for (const auto word : text::split_words(utterance.text)) {
    std::int64_t id = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || end != word.data() + word.size()) {
      throw DataError(
          fmt::format("{}: '{}' has label '{}', expected unit ids with blanks between",
                      utterance.origin.text(manifest), utterance.id, word.substr(0, 60)),
          "labels");
    }
    if (id <= text::Units::kBlank || id >= units.eos()) {
      throw DataError(
          fmt::format("{}: '{}' has label {}, but the vocabulary has units 1 to {}; this list "
                      "belongs to another text.units file",
                      utterance.origin.text(manifest), utterance.id, id, units.eos() - 1),
          "labels");
    }
    labels.push_back(id);
  }
  return labels;
}

/// Why an utterance has no labels.
struct Unusable {
  const char* reason;
  std::string message;
};

/// Fills its labels, or says why it has none.
std::optional<Unusable> fill_labels(Utterance& utterance, const text::Tokenizer& tokenizer,
                                    const std::filesystem::path& manifest) {
  const auto place = utterance.origin.text(manifest);
  if (utterance.text_is_units) {
    utterance.labels = parse_labels(utterance, tokenizer.units(), manifest);
  } else {
    const auto words = text::normalise(utterance.text);
    utterance.labels = tokenizer.encode(words);
    if (std::count(utterance.labels.begin(), utterance.labels.end(), text::Units::kUnknown) > 0) {
      utterance.labels.clear();
      std::vector<std::string_view> unknown;
      for (const auto word : text::split_words(words)) {
        const auto units = tokenizer.encode(word);
        if (std::ranges::count(units, text::Units::kUnknown) > 0) unknown.push_back(word);
      }
      const auto quoted = fmt::format("'{}'", fmt::join(unknown, "', '"));
      return Unusable{"characters",
                      fmt::format("{}: the vocabulary has no units for {} in '{}'", place,
                                  quoted.substr(0, 200), words.substr(0, 200))};
    }
  }
  if (!utterance.labels.empty()) return std::nullopt;
  return Unusable{"no-text", fmt::format("{}: '{}' has no transcript", place, utterance.id)};
}

}  // namespace

LabelledManifest label(Manifest manifest, const text::Tokenizer& tokenizer) {
  LabelledManifest result;
  result.manifest.file = manifest.file;
  result.manifest.lists = manifest.lists;
  for (auto& utterance : manifest.utterances) {
    if (const auto problem = fill_labels(utterance, tokenizer, manifest.file)) {
      result.skipped.push_back(
          fmt::format("{}\t{}\t{}", utterance.id, problem->reason, problem->message));
    } else {
      result.manifest.utterances.push_back(std::move(utterance));
    }
  }
  return result;
}

std::int64_t label_where_possible(Manifest& manifest, const text::Tokenizer& tokenizer) {
  return std::count_if(
      manifest.utterances.begin(), manifest.utterances.end(),
      [&](Utterance& utterance) { return !fill_labels(utterance, tokenizer, manifest.file); });
}

std::string reference_text(const Utterance& utterance, const text::Units& units) {
  if (!utterance.text_is_units) return text::normalise(utterance.text);
  return units.detokenise_reference(parse_labels(utterance, units, "the manifest"));
}

}  // namespace raven::data
