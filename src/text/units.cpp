#include "raven/text/units.h"

#include <spdlog/fmt/fmt.h>

#include <charconv>
#include <optional>
#include <utility>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/lines.h"
#include "raven/core/utf8.h"
#include "raven/text/words.h"

namespace raven::text {
namespace {

constexpr std::string_view kBlanks = " \t";
constexpr std::uint64_t kMaxFileBytes = 64 << 20;
constexpr const char *kBlankName = "<blank>", *kUnknownName = "<unk>", *kEosName = "<eos>";

/// Blank or control: what no piece may hold as it is.
bool is_no_text(char32_t code) { return is_space(code) || code < 0x20 || code == 0x7F; }

/// What makes a text unfit as a piece; empty when it is fit.
std::string fault_of_piece(std::string_view piece) {
  if (piece.empty()) return "is empty";
  if (!is_utf8(piece)) return "is not UTF-8";
  if (piece == kBlankName || piece == kEosName) return "is reserved: every vocabulary has it";
  while (!piece.empty()) {
    if (is_no_text(take_character(piece).code)) return "holds white space";
  }
  return "";
}

std::string shortened(std::string_view text) {
  constexpr std::size_t kMost = 40;
  return printable(text.substr(0, kMost)) + (text.size() > kMost ? "..." : "");
}

class UnitsParser {
 public:
  UnitsParser(std::string_view content, const std::string& name)
      : lines_(content, name), name_(name) {}

  std::vector<std::string> parse() {
    while (const auto line = lines_.next()) {
      ++line_;
      read(*line);
    }
    if (line_ < 2) {
      throw DataError(fmt::format("{}: lists no pieces, expected '<unk> 1' and one line "
                                  "'<piece> <index>' for each",
                                  name_),
                      "units");
    }
    return std::move(pieces_);
  }

 private:
  void read(std::string_view line) {
    const auto [piece, index] = split(line);
    if (index != line_) {
      const auto* reason = index < line_ ? "comes twice or out of order" : "leaves a hole";
      fail(fmt::format("index {} {}, expected {} (the line's number)", index, reason, line_));
    }
    if ((piece == kUnknownName) != (line_ == 1)) {
      fail(line_ == 1 ? fmt::format("'{}' is the first piece, expected '<unk>'", shortened(piece))
                      : "'<unk>' must be the first piece and come once");
    }
    if (line_ == 1) return;
    if (const auto fault = fault_of_piece(piece); !fault.empty())
      fail(fmt::format("piece '{}' {}", shortened(piece), fault));
    const auto [earlier, is_new] = line_of_.emplace(piece, line_);
    if (!is_new) {
      fail(fmt::format("piece '{}' stands already in line {}", shortened(piece), earlier->second));
    }
    pieces_.emplace_back(piece);
  }

  std::pair<std::string_view, std::int64_t> split(std::string_view line) {
    const auto gap = line.find_first_of(kBlanks);
    const auto digits = line.find_first_not_of(kBlanks, gap);
    std::int64_t index = 0;
    if (gap == 0 || gap == std::string_view::npos || digits == std::string_view::npos)
      fail(fmt::format("found '{}', expected '<piece> <index>'", shortened(line)));
    const auto text = line.substr(digits, line.find_last_not_of(kBlanks) + 1 - digits);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
    if (error != std::errc() || end != text.data() + text.size())
      fail(fmt::format("'{}' is not an index", shortened(text)));
    return {line.substr(0, gap), index};
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw DataError(fmt::format("{}:{}: {}", name_, line_, what), "units");
  }

  Lines lines_;
  const std::string& name_;
  std::int64_t line_ = 0;
  std::vector<std::string> pieces_;
  std::unordered_map<std::string_view, std::int64_t> line_of_;
};

constexpr std::size_t kWrittenByte = 6;  // "<0x0D>"

/// The byte that "<0x0D>" at the start of `text` stands for.
std::optional<char> written_byte(std::string_view text) {
  int byte = 0;
  if (text.size() < kWrittenByte || !text.starts_with("<0x") || text[5] != '>') return std::nullopt;
  const auto [end, error] = std::from_chars(text.data() + 3, text.data() + 5, byte, 16);
  if (error != std::errc() || end != text.data() + 5) return std::nullopt;
  return static_cast<char>(byte);
}

/// Blanks for what Units::written() wrote out; other bytes of this form stay as they are.
std::string with_blanks(std::string_view text) {
  constexpr std::size_t kMostBytes = 4;  // of a character
  std::string out;
  while (!text.empty()) {
    std::string bytes;
    for (auto rest = text; bytes.size() < kMostBytes; rest.remove_prefix(kWrittenByte)) {
      const auto byte = written_byte(rest);
      if (!byte) break;
      bytes += *byte;
    }
    std::string_view first = bytes;
    const auto length = utf8_length(bytes);
    const bool is_blank = length > 0 && is_no_text(take_character(first).code);
    out += is_blank ? ' ' : text.front();
    text.remove_prefix(is_blank ? kWrittenByte * length : 1);
  }
  return out;
}

std::string spaced(std::string text) {
  constexpr std::string_view kSpacePiece = "<space>";
  if (text.find("<0x") != std::string::npos) text = with_blanks(text);
  for (const auto mark : {kSpacePiece, kWordStart}) {
    std::string out;
    std::size_t from = 0;
    for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, from)) {
      out += text.substr(from, at - from) + ' ';
      from = at + mark.size();
    }
    text = out + text.substr(from);
  }
  const auto begin = text.find_first_not_of(' ');
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(' ') + 1 - begin);
}

}  // namespace

Units Units::read(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file))
    throw ConfigError(fmt::format("there is no units file {}", file.string()));
  return parse(read_file(file, kMaxFileBytes, FileKind::kAny), file.string());
}

Units Units::parse(std::string_view content, const std::string& name) {
  return Units(UnitsParser(content, name).parse());
}

std::optional<std::filesystem::path> Units::beside(const std::filesystem::path& model) {
  for (const auto& name : {model.stem().string() + kBeside, std::string("units.txt")}) {
    auto file = model.parent_path() / name;
    if (std::filesystem::is_regular_file(file)) return file;
  }
  return std::nullopt;
}

Units::Units(const std::vector<std::string>& pieces) {
  pieces_.reserve(pieces.size() + 3);
  pieces_ = {kBlankName, kUnknownName};
  pieces_.insert(pieces_.end(), pieces.begin(), pieces.end());
  pieces_.emplace_back(kEosName);
  for (std::int64_t id = 0; id < size(); ++id) {
    const auto& piece = pieces_[static_cast<std::size_t>(id)];
    const auto fault = id > kUnknown && id < eos() ? fault_of_piece(piece) : std::string();
    if (!fault.empty())
      throw DataError(fmt::format("piece '{}' of unit {} {}", shortened(piece), id, fault),
                      "units");
    if (const auto [earlier, is_new] = ids_.emplace(piece, id); !is_new) {
      throw DataError(fmt::format("units {} and {} are both '{}'", earlier->second, id, piece),
                      "units");
    }
  }
}

std::string Units::written(std::string_view piece) {
  std::string out;
  while (!piece.empty()) {
    const auto [code, bytes] = take_character(piece);
    if (!is_no_text(code)) {
      out += bytes;
      continue;
    }
    for (const char byte : bytes)
      out += fmt::format("<0x{:02X}>", static_cast<unsigned char>(byte));
  }
  return out;
}

std::string Units::text() const {
  std::string out;
  for (std::int64_t id = kUnknown; id < eos(); ++id) {
    out += fmt::format("{} {}\n", pieces_[static_cast<std::size_t>(id)], id);
  }
  return out;
}

const std::string& Units::piece(std::int64_t id) const {
  if (id < 0 || id >= size()) {
    throw DataError(
        fmt::format("unit id {} is outside the vocabulary, expected 0 to {}; labels and "
                    "units file do not belong together",
                    id, eos()),
        "vocabulary");
  }
  return pieces_[static_cast<std::size_t>(id)];
}

std::optional<std::int64_t> Units::find(std::string_view piece) const {
  const auto found = ids_.find(std::string(piece));
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

std::string Units::detokenise(std::span<const std::int64_t> ids) const {
  std::string text;
  for (const auto id : ids) {
    if (id != eos()) text += piece(id);
  }
  return spaced(std::move(text));
}

std::string Units::detokenise_reference(std::span<const std::int64_t> ids) const {
  std::string text;
  for (const auto id : ids) text += piece(id);
  return spaced(std::move(text));
}

}  // namespace raven::text
