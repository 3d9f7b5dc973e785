// From normalised text to unit ids.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "raven/text/units.h"

namespace raven::text {

/// Every tokenizer numbers as Units does: 0 blank, 1 unknown, pieces, eos last. Blank and eos never
/// come out of encode().
class Tokenizer {
 public:
  explicit Tokenizer(Units units) : units_(std::move(units)), letters_(units_) {}
  virtual ~Tokenizer() = default;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  [[nodiscard]] const Units& units() const { return units_; }

  /// Whether a vocabulary's pieces are written in small or capital letters.
  struct Letters {
    explicit Letters(const Units& units);

    std::int64_t small_pieces = 0, capital_pieces = 0;  // the latter hold a capital at least
    bool has_small = false;
    std::unordered_set<char32_t> known;  // every character of a piece, but not of "<0x0D>" in it

    /// Whether a text is brought to small or capital letters before it is cut into pieces.
    [[nodiscard]] bool prefers_small() const { return small_pieces > capital_pieces; }
  };
  [[nodiscard]] const Letters& letters() const { return letters_; }

  /// Ids of a text that normalise() made; none for an empty text. The text is in capitals: for
  /// a vocabulary in small letters it is converted first, and so is, for any vocabulary, a letter
  /// that its pieces have in the other case alone. Characters that no piece holds become one
  /// `<unk>` for each run of them. Safe to call from several threads. Throws ConfigError when only
  /// a units file is known.
  [[nodiscard]] std::vector<std::int64_t> encode(std::string_view normalised) const;

 private:
  /// The same of a text in the vocabulary's own case.
  [[nodiscard]] virtual std::vector<std::int64_t> encode_cased(std::string_view text) const = 0;
  [[nodiscard]] std::string in_own_case(std::string_view normalised) const;

  Units units_;
  Letters letters_;
};

struct TokenizerOptions {
  /// May be left empty with a SentencePiece model, which lists its units itself; else both must
  /// agree.
  std::filesystem::path units_file;
  /// A SentencePiece model (`raven tokenizer train`), or for the units of `units_file` either a
  /// JSON file {"counts": [occurrences of each id]} or a published .csv list, whose labels are
  /// counted and whose words keep their segmentation. Empty: ids can be read but no text encoded.
  std::filesystem::path model_file;
};

/// Throws ConfigError when a file is missing or the two do not belong together, DataError when one
/// is damaged.
std::unique_ptr<Tokenizer> make_tokenizer(const TokenizerOptions& options);

/// What the labels of a corpus say about a vocabulary.
struct UnitCounts {
  std::vector<std::int64_t> counts;  // occurrences of each id
  /// Segmentation of each word that was met; the most frequent one, on a tie the smallest ids.
  std::unordered_map<std::string, std::vector<std::int64_t>> words;
};

/// `{"counts": [...]}`, one number for each id of `units`. Throws DataError ("counts").
UnitCounts parse_unit_counts(std::string_view json, const Units& units, const std::string& name);

/// A published list (`tag,path,frames,ids` a line). Throws DataError with file:line for ids outside
/// the vocabulary and labels that are not numbers.
UnitCounts count_labels(std::string_view csv, const Units& units, const std::string& name);

/// Words met in `counts` as they were met; any other word by the unigram model's best path: pieces
/// have log(count / total), pieces never met 0.1 occurrence. On a tie the longer first pieces win.
std::unique_ptr<Tokenizer> make_unigram_tokenizer(Units units, UnitCounts counts);

/// A SentencePiece model's bytes. Unknown is 1, pieces follow in the model's order; control symbols
/// are left out, white space in pieces is written out (Units::written). Throws DataError ("model")
/// when the bytes are not a model, ConfigError for a model with byte fallback, whose pieces are not
/// text.
std::unique_ptr<Tokenizer> make_sentencepiece_tokenizer(const std::string& model,
                                                        const std::string& name);

}  // namespace raven::text
