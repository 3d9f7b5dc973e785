#include "raven/config/nearest.h"

#include <algorithm>

namespace raven::config {
namespace {

constexpr std::size_t kLongestWord = 200;

// Edit distance with swaps of neighbours (optimal string alignment).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last, last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + changed});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    before_last = last;
    last = row;
  }
  return last[b.size()];
}

// The part after the last dot: 'prob' of 'mask.prob'.
std::string_view last_part(std::string_view key) {
  const auto dot = key.rfind('.');
  return dot == std::string_view::npos ? key : key.substr(dot + 1);
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  if (word.empty() || word.size() > kLongestWord) return {};
  // A part of one name alone: 'decode.beam' for 'decode.beam_size'.
  const auto goes_on = [&](const std::string& candidate) {
    return candidate.size() > word.size() && candidate.starts_with(word) &&
           candidate[word.size()] == '_';
  };
  if (std::count_if(known.begin(), known.end(), goes_on) == 1)
    return *std::find_if(known.begin(), known.end(), goes_on);
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : known) {
    const std::size_t d = distance(word, candidate);
    if (d < best_distance) {
      best_distance = d;
      best = candidate;
    }
  }
  if (!best.empty()) return best;
  // The right name in the wrong group: 'lr' or 'train.lr' for 'optimizer.lr'.
  for (const std::string& candidate : known) {
    if (last_part(candidate) == last_part(word)) return candidate;
  }
  return {};
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
  const std::string best = nearest(word, known);
  return best.empty() ? std::string() : "; did you mean '" + best + "'?";
}

}  // namespace raven::config
