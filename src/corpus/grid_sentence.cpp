#include "corpus/grid_sentence.h"

#include <array>
#include <charconv>

#include "corpus/white_space.h"
#include "raven/core/error.h"
#include "raven/core/lines.h"
#include "raven/core/utf8.h"

namespace raven::corpus {
namespace {

constexpr double kUnitsPerSecond = 25'000;
constexpr std::size_t kLetter = 3;  // which of the six words is a letter

constexpr std::array<std::string_view, 10> kDigits = {"zero", "one", "two",   "three", "four",
                                                      "five", "six", "seven", "eight", "nine"};
constexpr std::array<std::array<std::string_view, 4>, 6> kSlots = {
    {{"bin", "lay", "place", "set"},
     {"blue", "green", "red", "white"},
     {"at", "by", "in", "with"},
     {},
     {},
     {"again", "now", "please", "soon"}}};

std::string_view digit_of(char c) {
  if (c == 'z') return kDigits[0];
  return c >= '1' && c <= '9' ? kDigits[static_cast<std::size_t>(c - '0')] : std::string_view();
}

bool parse_units(std::string_view text, double& seconds) {
  std::int64_t units = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), units);
  seconds = static_cast<double>(units) / kUnitsPerSecond;
  return error == std::errc() && end == text.data() + text.size() && units >= 0 &&
         seconds < kMostSeconds;
}

}  // namespace

std::optional<std::string> grid_sentence(std::string_view name) {
  if (name.size() != kSlots.size()) return std::nullopt;
  std::string sentence;
  for (std::size_t slot = 0; slot < kSlots.size(); ++slot) {
    std::string_view word;
    if (slot == kLetter && name[slot] >= 'a' && name[slot] <= 'z' && name[slot] != 'w')
      word = name.substr(slot, 1);
    if (slot == kLetter + 1) word = digit_of(name[slot]);
    for (const auto known : kSlots[slot]) {
      if (!known.empty() && known.front() == name[slot]) word = known;
    }
    if (word.empty()) return std::nullopt;
    if (slot > 0) sentence += ' ';
    sentence += word;
  }
  return sentence;
}

Transcript parse_align(std::string_view content, const std::string& name) {
  if (!is_utf8(content)) throw DataError(fmt::format("{}: is not UTF-8 text", name), "text");
  Transcript transcript;
  Lines lines(content);
  while (const auto line = lines.next()) {
    const auto parts = split_at_spaces(*line);
    if (parts.empty()) continue;
    TimedWord word;
    if (parts.size() != 3 || !parse_units(parts[0], word.start_s) ||
        !parse_units(parts[1], word.end_s) || word.end_s < word.start_s ||
        (!transcript.words.empty() && word.start_s < transcript.words.back().start_s)) {
      throw DataError(fmt::format("{}:{}: expected start, end (25,000 units a second) and word, in "
                                  "time order",
                                  name, lines.number()),
                      "text");
    }
    if (parts[2] == "sil" || parts[2] == "sp") continue;
    word.word = std::string(parts[2]);
    if (!transcript.text.empty()) transcript.text += ' ';
    transcript.text += word.word;
    transcript.words.push_back(std::move(word));
  }
  return transcript;
}

}  // namespace raven::corpus
