#include "raven/transcription/join_windows.h"

#include <algorithm>
#include <cmath>

namespace raven::transcription {
namespace {

constexpr double kSameTime_s = 0.5;

double middle_of(const Word& word) { return (word.begin_s + word.end_s) / 2; }

bool is_same(const Word& a, const Word& b) {
  return a.text == b.text && std::fabs(middle_of(a) - middle_of(b)) <= kSameTime_s;
}

/// Words [a, a + length) of the one window are [b, b + length) of the other.
struct Run {
  std::size_t a = 0, b = 0, length = 0;
};

Run longest_run(const std::vector<Word>& before, const std::vector<Word>& after, double middle_s) {
  Run best;
  double best_off_s = 0;
  for (std::size_t a = 0; a < before.size(); ++a) {
    for (std::size_t b = 0; b < after.size(); ++b) {
      Run run{.a = a, .b = b};
      while (a + run.length < before.size() && b + run.length < after.size() &&
             is_same(before[a + run.length], after[b + run.length]))
        ++run.length;
      if (run.length == 0) continue;
      const auto off_s =
          std::fabs((before[a].begin_s + before[a + run.length - 1].end_s) / 2 - middle_s);
      if (run.length < best.length || (run.length == best.length && off_s >= best_off_s)) continue;
      best = run;
      best_off_s = off_s;
    }
  }
  return best;
}

/// The first word from there on whose middle is not before `time_s`.
std::size_t first_from(const std::vector<Word>& words, double time_s) {
  const auto found =
      std::ranges::find_if(words, [&](const Word& word) { return middle_of(word) >= time_s; });
  return static_cast<std::size_t>(found - words.begin());
}

}  // namespace

void join_windows(Passage& before, Passage& after) {
  const auto middle_s = (after.begin_s + before.end_s) / 2;
  auto keep = first_from(before.words, middle_s), skip = first_from(after.words, middle_s);
  const auto shared = static_cast<std::ptrdiff_t>(first_from(before.words, after.begin_s));
  const std::vector<Word> last(before.words.begin() + shared, before.words.end());
  const std::vector<Word> first(
      after.words.begin(),
      after.words.begin() + static_cast<std::ptrdiff_t>(first_from(after.words, before.end_s)));
  auto split_s = middle_s;
  if (const auto run = longest_run(last, first, middle_s); run.length > 0) {
    const auto half = (run.length + 1) / 2;
    keep = static_cast<std::size_t>(shared) + run.a + half;
    skip = run.b + half;
    split_s = before.words[keep - 1].end_s;
  }
  before.words.resize(keep);
  after.words.erase(after.words.begin(), after.words.begin() + static_cast<std::ptrdiff_t>(skip));
  before.end_s = after.begin_s = std::clamp(split_s, before.begin_s, after.end_s);
  for (auto& word : before.words)
    word.end_s = std::min(word.end_s, std::max(before.end_s, word.begin_s));
  for (auto& word : after.words) {
    if (word.begin_s >= after.begin_s) break;
    word.begin_s = after.begin_s;
    word.end_s = std::max(word.end_s, word.begin_s);
  }
}

}  // namespace raven::transcription
