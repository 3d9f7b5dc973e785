#include "raven/evaluation/frame_labels.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>
#include <string_view>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/lines.h"
#include "raven/core/tried_path.h"
#include "raven/core/utf8.h"
#include "raven/media/media.h"

namespace raven::evaluation {
namespace {

namespace fs = std::filesystem;
using Span = LabelSet::Span;

constexpr std::uint64_t kMaxLabelBytes = 1ULL << 31;
constexpr std::array<std::string_view, 4> kColumns = {"id", "label", "begin_s", "end_s"};
enum Column { kId, kLabel, kBegin, kEnd };

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> fields;
  for (;;) {
    const auto tab = line.find('\t');
    fields.push_back(line.substr(0, tab));
    if (tab == std::string_view::npos) return fields;
    line.remove_prefix(tab + 1);
  }
}

/// A label as it was read, before labels have numbers.
struct NamedSpan {
  std::string label;
  double begin_s = 0, end_s = 0;
  std::size_t line = 0;
};
using NamedSpans = std::map<std::string, std::vector<NamedSpan>>;

class LabelReader {
 public:
  LabelReader(const fs::path& file, std::string_view content)
      : file_(file), lines_(content, file.string()) {}

  /// Of the utterances in `wanted`.
  NamedSpans read(const std::set<std::string_view>& wanted) {
    read_header();
    NamedSpans spans;
    while (const auto line = lines_.next()) {
      if (line->empty()) continue;
      const auto fields = split(*line);
      if (fields.size() != num_fields_)
        fail(fmt::format("{} columns, but the first line names {}", fields.size(), num_fields_));
      if (!wanted.contains(fields[*field_of_[kId]])) continue;
      add(fields, spans[std::string(fields[*field_of_[kId]])]);
    }
    return spans;
  }

  [[nodiscard]] bool of_utterances() const { return !field_of_[kBegin]; }

  [[noreturn]] void fail(const std::string& message, std::size_t line) const {
    throw DataError(fmt::format("{}:{}: {}", file_.string(), line, message), "labels");
  }

 private:
  [[noreturn]] void fail(const std::string& message) const { fail(message, lines_.number()); }

  void read_header() {
    const auto line = lines_.next();
    if (!line) fail("empty, expected a line that names the columns", 1);
    const auto names = split(*line);
    num_fields_ = names.size();
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto found = std::ranges::find(kColumns, names[i]);
      if (found == kColumns.end()) continue;
      auto& field = field_of_[static_cast<std::size_t>(found - kColumns.begin())];
      if (field) fail(fmt::format("two columns are called '{}'", names[i]));
      field = i;
    }
    if (!field_of_[kId] || !field_of_[kLabel] || !field_of_[kBegin] != !field_of_[kEnd]) {
      fail(
          "expected a first line that names the columns, with tabs between them: id, label and, "
          "for labels of frames, begin_s and end_s");
    }
  }

  double seconds(std::string_view text, std::string_view column) const {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
      fail(fmt::format("{} is '{}', expected seconds", column, printable(text)));
    return value;
  }

  void add(const std::vector<std::string_view>& fields, std::vector<NamedSpan>& spans) const {
    NamedSpan span{.label = std::string(fields[*field_of_[kLabel]]), .line = lines_.number()};
    if (!is_utf8(span.label)) fail("its label is not UTF-8 text; save the file as UTF-8");
    if (span.label.empty()) fail("the label is empty");
    if (of_utterances()) {
      if (!spans.empty())
        fail(fmt::format("'{}' has a label already, in line {}", printable(fields[*field_of_[kId]]),
                         spans.front().line));
    } else {
      span.begin_s = seconds(fields[*field_of_[kBegin]], kColumns[kBegin]);
      span.end_s = seconds(fields[*field_of_[kEnd]], kColumns[kEnd]);
      if (span.end_s < span.begin_s)
        fail(fmt::format("ends at {} s, before it begins at {} s", span.end_s, span.begin_s));
    }
    spans.push_back(std::move(span));
  }

  fs::path file_;
  Lines lines_;
  std::size_t num_fields_ = 0;
  std::array<std::optional<std::size_t>, kColumns.size()> field_of_;
};

/// With a number for each label.
LabelSet numbered(const NamedSpans& named) {
  std::set<std::string> names;
  for (const auto& [id, spans] : named) {
    for (const auto& span : spans) names.insert(span.label);
  }
  LabelSet set;
  set.classes.assign(names.begin(), names.end());
  for (const auto& [id, spans] : named) {
    for (const auto& span : spans) {
      const auto label = std::ranges::lower_bound(set.classes, span.label) - set.classes.begin();
      set.spans[id].push_back({.begin_s = span.begin_s, .end_s = span.end_s, .label = label});
    }
  }
  return set;
}

}  // namespace

std::optional<std::int64_t> LabelSet::at(const std::string& id, std::int64_t frame) const {
  const auto found = spans.find(id);
  if (found == spans.end()) return std::nullopt;
  if (of_utterances) return found->second.front().label;
  const double middle_s = (static_cast<double>(frame) + 0.5) / media::kFrameRateHz;
  const auto after = std::ranges::upper_bound(found->second, middle_s, {}, &Span::begin_s);
  if (after == found->second.begin()) return std::nullopt;
  const auto& span = *std::prev(after);
  return middle_s < span.end_s ? std::optional(span.label) : std::nullopt;
}

LabelSet speaker_labels(const data::Manifest& manifest) {
  NamedSpans named;
  for (const auto& utterance : manifest.utterances) {
    if (!utterance.speaker.empty()) named[utterance.id].push_back({.label = utterance.speaker});
  }
  if (named.empty()) {
    throw ConfigError(
        fmt::format("labels: {} tells no speaker (column speaker); leave speaker out of labels",
                    manifest.names()));
  }
  auto set = numbered(named);
  set.name = "speaker";
  set.of_utterances = true;
  return set;
}

LabelSet read_labels(const fs::path& file, const data::Manifest& manifest) {
  if (!fs::exists(file))
    throw ConfigError(fmt::format("labels: there is no {}", tried_path(file.string())));
  const auto content = read_file(file, kMaxLabelBytes, FileKind::kAny);
  std::set<std::string_view> wanted;
  for (const auto& utterance : manifest.utterances) wanted.insert(utterance.id);
  LabelReader reader(file, content);
  auto named = reader.read(wanted);
  if (named.empty()) {
    throw ConfigError(
        fmt::format("labels: {} has no label for any utterance of {}; the ids must be "
                    "those of the list",
                    file.string(), manifest.names()));
  }
  for (auto& [id, spans] : named) {
    std::ranges::stable_sort(spans, {}, &NamedSpan::begin_s);
    for (std::size_t i = 1; i < spans.size(); ++i) {
      if (spans[i].begin_s >= spans[i - 1].end_s) continue;
      reader.fail(fmt::format("overlaps with line {}: '{}' has two labels at {} s",
                              spans[i - 1].line, printable(id), spans[i].begin_s),
                  spans[i].line);
    }
  }
  auto set = numbered(named);
  set.name = file.stem().string();
  set.of_utterances = reader.of_utterances();
  return set;
}

}  // namespace raven::evaluation
