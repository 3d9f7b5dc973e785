// The output vocabulary of a recognizer: what each unit id stands for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace raven::text {

/// Marks the start of a word in a piece (U+2581).
inline constexpr std::string_view kWordStart = "\xE2\x96\x81";

/// Id 0 is the CTC blank, 1 the unknown unit, then come the pieces, and the last id is the end of
/// an utterance, which is its start as well.
class Units {
 public:
  static constexpr std::int64_t kBlank = 0;
  static constexpr std::int64_t kUnknown = 1;
  static constexpr const char* kBeside = ".units.txt";  // ending of a units file beside a model

  /// Reads a units file as published: one `<piece> <index>` a line, index = line number from 1,
  /// `<unk> 1` first. Blank and end of utterance are not listed. CRLF and CR ends and a byte-order
  /// mark are accepted. Throws ConfigError when the file is missing, and DataError ("units") with
  /// file:line for holes, duplicates, wrong indices, damaged lines and an empty list, or ("text")
  /// for UTF-16.
  static Units read(const std::filesystem::path& file);

  /// The content of a units file; `name` stands for the file in messages.
  static Units parse(std::string_view content, const std::string& name);

  /// The units file that belongs to a model's file which does not hold its units:
  /// `<stem>.units.txt` in the same folder, else `units.txt` there.
  static std::optional<std::filesystem::path> beside(const std::filesystem::path& model);

  /// The pieces from id 2 on. Throws DataError ("units") naming a piece that is empty, not UTF-8,
  /// listed twice, reserved, or holds white space.
  explicit Units(const std::vector<std::string>& pieces);

  /// A piece of another program's vocabulary as it may stand here: white space and control
  /// characters, which no normalised text holds (a model of text with Windows line ends has a piece
  /// with a carriage return), as "<0x0D>". detokenise() makes blanks of them.
  static std::string written(std::string_view piece);

  /// The units file's content: parse(text(), ...) gives the same units.
  [[nodiscard]] std::string text() const;

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(pieces_.size()); }
  [[nodiscard]] std::int64_t eos() const { return size() - 1; }

  /// "<blank>", "<unk>", a piece or "<eos>". Throws DataError ("vocabulary") when there is no such
  /// id.
  [[nodiscard]] const std::string& piece(std::int64_t id) const;
  /// The id of a piece, none for text that is not a unit.
  [[nodiscard]] std::optional<std::int64_t> find(std::string_view piece) const;

  /// The text of a hypothesis: every eos dropped, pieces joined, word starts as blanks, none at the
  /// ends. Throws DataError ("vocabulary") naming an id outside the vocabulary.
  [[nodiscard]] std::string detokenise(std::span<const std::int64_t> ids) const;

  /// The text of a label list; an eos in it is written out.
  [[nodiscard]] std::string detokenise_reference(std::span<const std::int64_t> ids) const;

  friend bool operator==(const Units& a, const Units& b) { return a.pieces_ == b.pieces_; }

 private:
  std::vector<std::string> pieces_;  // by id
  std::unordered_map<std::string, std::int64_t> ids_;
};

}  // namespace raven::text
