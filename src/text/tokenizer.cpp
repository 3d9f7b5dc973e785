#include "raven/text/tokenizer.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/core/tried_path.h"
#include "raven/core/utf8.h"
#include "text/letters.h"

namespace raven::text {
namespace {

constexpr std::uint64_t kMaxModelBytes = 256 << 20;

class UnitsOnly : public Tokenizer {
 public:
  UnitsOnly(Units units, std::string name) : Tokenizer(std::move(units)), name_(std::move(name)) {}

 private:
  [[nodiscard]] std::vector<std::int64_t> encode_cased(std::string_view /*text*/) const override {
    throw ConfigError(fmt::format(
        "{} alone cannot turn text into units; name a SentencePiece model, counts of the units "
        "(.json) or a published label list (.csv) beside it",
        name_));
  }

  std::string name_;
};

std::string read_model(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file))
    throw ConfigError(
        fmt::format("text.model: there is no tokenizer model {}; raven tokenizer train LIST --out "
                    "{} makes one from transcripts",
                    tried_path(file), std::filesystem::path(file).replace_extension("").string()));
  return read_file(file, kMaxModelBytes, FileKind::kAny);
}

void check_equal(const Units& listed, const Units& in_model, const TokenizerOptions& options) {
  if (listed == in_model) return;
  const auto files = fmt::format("{} and {} do not belong together", options.units_file.string(),
                                 options.model_file.string());
  if (listed.size() != in_model.size()) {
    throw ConfigError(
        fmt::format("{}: {} units against {}", files, listed.size(), in_model.size()));
  }
  for (std::int64_t id = 0; id < listed.size(); ++id) {
    if (listed.piece(id) != in_model.piece(id)) {
      throw ConfigError(fmt::format("{}: unit {} is '{}' against '{}'", files, id, listed.piece(id),
                                    in_model.piece(id)));
    }
  }
}

/// Transcripts do not keep their case, so one of the two kinds of pieces is hardly ever met.
void warn_of_mixed_case(const Tokenizer& tokenizer, const std::filesystem::path& file) {
  const auto& letters = tokenizer.letters();
  if (letters.small_pieces == 0 || letters.capital_pieces == 0) return;
  const bool in_small = letters.prefers_small();
  log::warn(
      "{}: {} of its pieces are in small letters, {} in capitals; transcripts do not keep their "
      "case, so all text is met in {} where the vocabulary has them, and pieces in {} are hardly "
      "used",
      file.string(), letters.small_pieces, letters.capital_pieces,
      in_small ? "small letters" : "capitals", in_small ? "capitals" : "small letters");
}

/// A piece without the names in it ("<0x0D>", "<space>"), whose letters no text has.
std::string without_names(std::string_view piece) {
  std::string out;
  while (!piece.empty()) {
    const auto open = std::min(piece.find('<'), piece.size());
    out += piece.substr(0, open);
    piece.remove_prefix(open);
    const auto close = piece.find('>');
    if (close == std::string_view::npos) return out += piece;
    piece.remove_prefix(close + 1);
  }
  return out;
}

}  // namespace

Tokenizer::Letters::Letters(const Units& units) {
  for (auto id = Units::kUnknown + 1; id < units.eos(); ++id) {
    bool small = false, capital = false;
    for (const auto code : characters(without_names(units.piece(id)))) {
      known.insert(code);
      small = small || capital_letter(code) != code;
      capital = capital || small_letter(code) != code;
    }
    small_pieces += small && !capital ? 1 : 0;
    capital_pieces += capital ? 1 : 0;
    has_small = has_small || small;
  }
}

std::string Tokenizer::in_own_case(std::string_view normalised) const {
  const auto knows = [this](char32_t code) { return letters_.known.contains(code); };
  std::string out;
  const auto text = characters(normalised);
  for (std::size_t i = 0; i < text.size(); ++i) {
    constexpr char32_t kSigma = 0x3C3, kFinalSigma = 0x3C2;
    const auto capital = text[i];
    auto small = small_letter(capital);
    const bool ends_word =
        i > 0 && is_letter(text[i - 1]) && (i + 1 == text.size() || !is_letter(text[i + 1]));
    if (small == kSigma && ends_word && knows(kFinalSigma)) small = kFinalSigma;
    const bool takes_small = knows(small) && (letters_.prefers_small() || !knows(capital));
    append_utf8(out, takes_small ? small : capital);
  }
  return out;
}

std::vector<std::int64_t> Tokenizer::encode(std::string_view normalised) const {
  if (!letters_.has_small) return encode_cased(normalised);
  return encode_cased(in_own_case(normalised));
}

std::unique_ptr<Tokenizer> make_tokenizer(const TokenizerOptions& options) {
  const auto& [units_file, model_file] = options;
  if (model_file.empty()) {
    if (units_file.empty())
      throw ConfigError("neither a units file nor a tokenizer model is named");
    return std::make_unique<UnitsOnly>(Units::read(units_file), units_file.string());
  }
  const auto content = read_model(model_file);
  const bool is_json = model_file.extension() == ".json",
             is_list = model_file.extension() == ".csv";
  if (is_json || is_list) {
    if (units_file.empty()) {
      throw ConfigError(fmt::format("{} counts the units of a units file: name that as well",
                                    model_file.string()));
    }
    auto units = Units::read(units_file);
    auto counts = is_json ? parse_unit_counts(content, units, model_file.string())
                          : count_labels(content, units, model_file.string());
    auto tokenizer = make_unigram_tokenizer(std::move(units), std::move(counts));
    warn_of_mixed_case(*tokenizer, units_file);
    return tokenizer;
  }
  auto tokenizer = make_sentencepiece_tokenizer(content, model_file.string());
  if (!units_file.empty()) check_equal(Units::read(units_file), tokenizer->units(), options);
  warn_of_mixed_case(*tokenizer, model_file);
  return tokenizer;
}

}  // namespace raven::text
