#include "raven/transcription/subtitles.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>

#include "raven/core/utf8.h"

namespace raven::transcription {
namespace {

constexpr std::int64_t kPause_ms = 500;

std::int64_t to_ms(double time_s) { return std::llround(time_s * 1000); }

/// Parts of a word that each fit into a line.
std::vector<std::string> parts_of(std::string_view word) {
  std::vector<std::string> parts(1);
  for (std::size_t count = 0; !word.empty(); ++count) {
    if (count > 0 && count % kMostCharacters == 0) parts.emplace_back();
    parts.back() += take_character(word).bytes;
  }
  return parts;
}

/// A line more or less, filled word by word; false where there is no room.
bool append(std::vector<std::string>& lines, const std::string& part) {
  const auto length = num_characters(part);
  if (!lines.empty() && num_characters(lines.back()) + 1 + length <= kMostCharacters) {
    lines.back() += " " + part;
    return true;
  }
  if (lines.size() == kMostLines) return false;
  lines.push_back(part);
  return true;
}

/// A word, or a part of a long one, with its time.
struct Part {
  std::string text;
  std::int64_t begin_ms = 0, end_ms = 0;
};

std::vector<Part> all_parts(const Transcript& transcript, std::int64_t duration_ms) {
  std::vector<Part> parts;
  std::int64_t before_ms = 0;
  for (const auto& passage : transcript.passages) {
    for (const auto& word : passage.words) {
      const auto begin_ms = std::clamp(to_ms(word.begin_s), before_ms, duration_ms);
      const auto end_ms = std::clamp(to_ms(word.end_s), begin_ms, duration_ms);
      for (auto& part : parts_of(word.text))
        parts.push_back({.text = std::move(part), .begin_ms = begin_ms, .end_ms = end_ms});
      before_ms = begin_ms;
    }
  }
  return parts;
}

/// Ends are those of the words until here.
void spread(std::vector<Subtitle>& all, std::int64_t duration_ms) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto& one = all[i];
    const auto least_begin = i == 0 ? 0 : all[i - 1].end_ms;
    one.begin_ms = std::max(one.begin_ms, least_begin);
    const auto next = i + 1 < all.size() ? std::max(all[i + 1].begin_ms, one.begin_ms + 1)
                                         : std::max(duration_ms, one.begin_ms + 1);
    const auto wanted = std::max(one.end_ms, one.begin_ms + kLeastShown_ms);
    one.end_ms = std::clamp(std::min(wanted, one.begin_ms + kMostShown_ms), one.begin_ms + 1, next);
  }
  for (auto one = all.rbegin(); one != all.rend(); ++one) {  // several at the very end
    one->end_ms = std::min(one->end_ms, duration_ms);
    one->begin_ms = std::min(one->begin_ms, one->end_ms - 1);
    duration_ms = one->begin_ms;
  }
}

std::string time_text(std::int64_t time_ms, char point) {
  return fmt::format("{:02}:{:02}:{:02}{}{:03}", time_ms / 3'600'000, time_ms / 60'000 % 60,
                     time_ms / 1000 % 60, point, time_ms % 1000);
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace

std::vector<Subtitle> subtitles(const Transcript& transcript, double duration_s) {
  const auto duration_ms = to_ms(duration_s);
  std::vector<Subtitle> all;
  for (const auto& part : all_parts(transcript, duration_ms)) {
    const bool goes_on = !all.empty() && part.begin_ms - all.back().end_ms < kPause_ms &&
                         part.end_ms - all.back().begin_ms <= kMostShown_ms;
    if (!goes_on || !append(all.back().lines, part.text)) {
      all.push_back({.begin_ms = part.begin_ms, .lines = {part.text}});
    }
    all.back().end_ms = part.end_ms;
  }
  spread(all, duration_ms);
  return all;
}

std::string srt(const std::vector<Subtitle>& subtitles) {
  std::string out;
  for (std::size_t i = 0; i < subtitles.size(); ++i) {
    const auto& one = subtitles[i];
    out += fmt::format("{}\n{} --> {}\n{}\n\n", i + 1, time_text(one.begin_ms, ','),
                       time_text(one.end_ms, ','), fmt::join(one.lines, "\n"));
  }
  return out;
}

std::string vtt(const std::vector<Subtitle>& subtitles) {
  std::string out = "WEBVTT\n\n";
  for (const auto& one : subtitles) {
    out +=
        fmt::format("{} --> {}\n{}\n\n", time_text(one.begin_ms, '.'), time_text(one.end_ms, '.'),
                    escaped(fmt::format("{}", fmt::join(one.lines, "\n"))));
  }
  return out;
}

}  // namespace raven::transcription
