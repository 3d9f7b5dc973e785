#include "raven/evaluation/transcript_file.h"

#include <spdlog/fmt/fmt.h>

#include <charconv>
#include <map>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/lines.h"
#include "raven/core/utf8.h"
#include "raven/text/trn.h"

namespace raven::evaluation {
namespace {

std::string not_utf8(std::string_view id) {
  return fmt::format("'{}' is not UTF-8 (%XX: its bytes); save the file as UTF-8",
                     printable(id.substr(0, 200)));
}

class LineParser {
 public:
  LineParser(std::string_view content, const std::filesystem::path& file)
      : name_(file.string()), reader_(content, name_), is_table_(file.extension() == ".tsv") {}

  std::vector<TranscriptLine> parse() {
    while (const auto line = reader_.next()) {
      ++line_;
      if (line->empty()) continue;
      if (is_table_ && columns_.empty()) {
        read_header(*line);
      } else {
        add(is_table_ ? row_of(*line) : plain(*line));
      }
    }
    return std::move(lines_);
  }

 private:
  static std::vector<std::string_view> cells(std::string_view line) {
    std::vector<std::string_view> out;
    while (true) {
      const auto tab = line.find('\t');
      out.push_back(line.substr(0, tab));
      if (tab == std::string_view::npos) return out;
      line.remove_prefix(tab + 1);
    }
  }

  void read_header(std::string_view line) {
    const auto names = cells(line);
    for (std::size_t i = 0; i < names.size(); ++i) columns_.emplace(names[i], i);
    if (!columns_.contains("id") || !columns_.contains("text"))
      fail("expected a header that names the columns 'id' and 'text'");
    width_ = names.size();
  }

  TranscriptLine row_of(std::string_view line) {
    const auto row = cells(line);
    if (row.size() != width_)
      fail(fmt::format("found {} columns, expected the header's {}", row.size(), width_));
    const auto cell = [&](const char* name) {
      const auto found = columns_.find(name);
      return found == columns_.end() ? std::string_view() : row[found->second];
    };
    TranscriptLine out{.id = std::string(cell("id")),
                       .speaker = std::string(cell("speaker")),
                       .text = std::string(cell("text")),
                       .frames = 0,
                       .snr_db = std::nullopt,
                       .may_be_empty = !is_manifest()};
    id_at_ = cell("id").data() - line.data();
    if (const auto frames = cell("frames"); !frames.empty())
      out.frames = number<std::int64_t>(frames, "frames");
    if (const auto snr_db = cell("snr_db"); !snr_db.empty())
      out.snr_db = number<double>(snr_db, "snr_db");
    return out;
  }

  [[nodiscard]] bool is_manifest() const {
    return columns_.contains("video") || columns_.contains("audio");
  }

  static TranscriptLine plain(std::string_view line) {
    const auto gap = line.find_first_of(" \t");
    TranscriptLine out;
    out.id = std::string(line.substr(0, gap));
    if (gap != std::string_view::npos) out.text = std::string(line.substr(gap + 1));
    return out;
  }

  template <class Number>
  Number number(std::string_view text, const char* column) const {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
      fail(fmt::format("{} is '{}', expected a number", column, printable(text.substr(0, 40))));
    return value;
  }

  void add(TranscriptLine line) {
    if (line.id.empty()) fail("the id is empty");
    if (!is_utf8(line.id)) {
      throw DataError(
          fmt::format("{}:{}:{}: the id {}", name_, line_, id_at_ + 1, not_utf8(line.id)),
          "transcripts");
    }
    const auto [earlier, is_new] = ids_.emplace(line.id, line_);
    if (!is_new)
      fail(fmt::format("id '{}' stands already in line {}", printable(line.id), earlier->second));
    lines_.push_back(std::move(line));
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw DataError(fmt::format("{}:{}: {}", name_, line_, what), "transcripts");
  }

  std::string name_;
  Lines reader_;
  bool is_table_;
  std::int64_t line_ = 0;
  std::ptrdiff_t id_at_ = 0;  // bytes before the id in its line
  std::map<std::string, std::size_t, std::less<>> columns_;
  std::size_t width_ = 0;
  std::map<std::string, std::int64_t> ids_;  // line of each
  std::vector<TranscriptLine> lines_;
};

}  // namespace

std::vector<TranscriptLine> read_transcripts(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file))
    throw ConfigError(fmt::format("there is no file {}", file.string()));
  return parse_transcripts(read_file(file, kMaxFileBytesByDefault, FileKind::kAny), file);
}

std::vector<TranscriptLine> parse_transcripts(std::string_view content,
                                              const std::filesystem::path& file) {
  if (file.extension() != ".trn") return LineParser(content, file).parse();
  auto utterances = text::parse_trn(content, file.string());
  std::vector<TranscriptLine> lines;
  for (auto& utterance : utterances) {
    lines.push_back({.id = std::move(utterance.utterance),
                     .speaker = std::move(utterance.speaker),
                     .text = std::move(utterance.text),
                     .frames = 0,
                     .snr_db = std::nullopt});
  }
  std::map<std::string, const TranscriptLine*> ids;
  for (auto& line : lines) {  // the same name under two speakers: both keep it whole
    const auto [other, is_new] = ids.emplace(line.id, &line);
    if (is_new) continue;
    for (auto& each : lines) each.id = each.speaker + "-" + each.id;
    break;
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {  // as they are used: with a speaker or without
    if (is_utf8(lines[i].id)) continue;
    throw DataError(fmt::format("{}:{}:{}: the id {}", file.string(), utterances[i].line,
                                utterances[i].column, not_utf8(lines[i].id)),
                    "trn");
  }
  return lines;
}

std::vector<UtteranceResult> pair_transcripts(const std::vector<TranscriptLine>& references,
                                              const std::vector<TranscriptLine>& hypotheses,
                                              std::int64_t& extra) {
  std::map<std::string, const TranscriptLine*> by_id;
  for (const auto& line : hypotheses) by_id.emplace(line.id, &line);
  std::vector<UtteranceResult> results;
  std::string missing;
  std::int64_t num_missing = 0;
  for (const auto& reference : references) {
    const auto found = by_id.find(reference.id);
    if (found == by_id.end()) {
      if (num_missing++ == 0) missing = reference.id;
      continue;
    }
    const auto& hypothesis = *found->second;
    results.push_back(
        {.id = reference.id,
         .speaker = reference.speaker.empty() ? hypothesis.speaker : reference.speaker,
         .frames = reference.frames > 0 ? reference.frames : hypothesis.frames,
         .snr_db = reference.snr_db ? reference.snr_db : hypothesis.snr_db,
         .reference = reference.text,
         .hypothesis = hypothesis.text,
         .score = 0,
         .may_be_empty = reference.may_be_empty});
  }
  if (num_missing > 0) {
    throw DataError(
        fmt::format("{} of {} references have no hypothesis, the first is '{}'; an empty "
                    "hypothesis must be listed as well",
                    num_missing, references.size(), printable(missing)),
        "transcripts");
  }
  extra = std::ssize(hypotheses) - std::ssize(results);
  return results;
}

}  // namespace raven::evaluation
