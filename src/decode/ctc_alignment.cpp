#include "raven/decode/ctc_alignment.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "raven/decode/beam_search.h"
#include "raven/models/recognizer.h"

namespace raven::decode {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

std::int64_t size_of(const std::vector<std::int64_t>& units) { return std::ssize(units); }

/// Frames that a path needs: a blank separates equal units.
std::int64_t least_frames(const std::vector<std::int64_t>& units) {
  std::int64_t frames = size_of(units);
  for (std::size_t i = 1; i < units.size(); ++i) frames += units[i] == units[i - 1] ? 1 : 0;
  return frames;
}

/// States of a path: blank, first unit, blank, second unit, ..., blank.
class Trellis {
 public:
  Trellis(const torch::Tensor& log_probs, const std::vector<std::int64_t>& units)
      : units_(units), num_states_(2 * size_of(units) + 1), num_frames_(log_probs.size(0)) {
    std::vector<std::int64_t> columns;
    for (std::int64_t s = 0; s < num_states_; ++s) columns.push_back(unit_of(s));
    scores_ = log_probs.to(torch::kCPU, torch::kFloat64)
                  .index_select(1, torch::tensor(columns, torch::kInt64))
                  .contiguous();  // (T, S)
    steps_.resize(static_cast<std::size_t>(num_frames_ * num_states_));
  }

  [[nodiscard]] std::int64_t unit_of(std::int64_t state) const {
    return state % 2 == 0 ? models::kBlank : units_[static_cast<std::size_t>(state / 2)];
  }
  [[nodiscard]] double score(std::int64_t t, std::int64_t state) const {
    return scores_.data_ptr<double>()[t * num_states_ + state];
  }

  /// The state at each frame.
  std::vector<std::int64_t> best_path() {
    std::vector<double> best(static_cast<std::size_t>(num_states_), kNever);
    for (std::int64_t s = 0; s < std::min<std::int64_t>(num_states_, 2); ++s)
      best[static_cast<std::size_t>(s)] = score(0, s);
    for (std::int64_t t = 1; t < num_frames_; ++t) advance(t, best);
    auto state = num_states_ - 1;
    if (num_states_ > 1 && best[best.size() - 2] >= best.back()) --state;
    std::vector<std::int64_t> path(static_cast<std::size_t>(num_frames_));
    for (auto t = num_frames_ - 1; t >= 0; --t) {
      path[static_cast<std::size_t>(t)] = state;
      state -= steps_[static_cast<std::size_t>(t * num_states_ + state)];
    }
    return path;
  }

 private:
  /// From a state before to this one: 0, 1 or 2 on. Two skip the blank between different units.
  void advance(std::int64_t t, std::vector<double>& best) {
    for (auto s = num_states_ - 1; s >= 0; --s) {
      const auto at = [&](std::int64_t from) {
        return from < 0 ? kNever : best[static_cast<std::size_t>(from)];
      };
      std::uint8_t step = 0;
      if (at(s - 1) > at(s)) step = 1;
      const bool may_skip = s % 2 == 1 && s > 1 && unit_of(s) != unit_of(s - 2);
      if (may_skip && at(s - 2) > at(s - step)) step = 2;
      steps_[static_cast<std::size_t>(t * num_states_ + s)] = step;
      best[static_cast<std::size_t>(s)] = at(s - step) + score(t, s);
    }
  }

  const std::vector<std::int64_t>& units_;
  std::int64_t num_states_, num_frames_;
  torch::Tensor scores_;             // (T, S) float64
  std::vector<std::uint8_t> steps_;  // (T, S)
};

std::vector<std::int64_t> without_ends(const std::vector<std::int64_t>& units,
                                       const text::Units& names) {
  std::vector<std::int64_t> kept;
  for (const auto unit : units)
    if (unit != names.eos() && unit != models::kBlank) kept.push_back(unit);
  return kept;
}

std::vector<UnitSpan> laid_out_evenly(std::int64_t count, std::int64_t num_frames) {
  std::vector<UnitSpan> spans;
  for (std::int64_t i = 0; i < count; ++i)
    spans.push_back({.begin = i * num_frames / count, .end = (i + 1) * num_frames / count});
  return spans;
}

/// Between two ends of sentences, which are written out here.
bool starts_word(std::int64_t unit, const text::Units& names) {
  const std::int64_t between[] = {names.eos(), unit, names.eos()};
  return names.detokenise_reference(between).at(names.piece(names.eos()).size()) == ' ';
}

/// The same with units that hardly occur in silent frames.
torch::Tensor quiet_in(const torch::Tensor& log_probs, const std::vector<bool>& silent) {
  constexpr double kHardly = 20;  // less, as a logarithm
  auto quiet = log_probs.to(torch::kCPU, torch::kFloat64).clone();
  const auto count = std::min(std::ssize(silent), quiet.size(0));
  for (std::int64_t t = 0; t < count; ++t)
    if (silent[static_cast<std::size_t>(t)]) quiet[t].slice(0, models::kBlank + 1).sub_(kHardly);
  return quiet;
}

/// A unit's largest posterior among its frames.
void set_confidence(std::vector<UnitSpan>& spans, const std::vector<std::int64_t>& units,
                    const torch::Tensor& log_probs) {
  for (std::size_t i = 0; i < spans.size(); ++i) {
    auto& span = spans[i];
    const auto best = log_probs.slice(0, span.begin, span.end).select(1, units[i]).max();
    span.confidence = std::exp(std::min(best.item<double>(), 0.0));
  }
}

/// Frames from `from` on until the first silent one; `most` at most.
double sounding_for(const std::vector<bool>& silent, std::int64_t from, std::int64_t step,
                    double most) {
  const auto is_silent = [&](std::int64_t t) {
    return t >= 0 && t < std::ssize(silent) && silent[static_cast<std::size_t>(t)];
  };
  if (is_silent(from - step)) return most;  // the unit itself is there
  std::int64_t count = 0;
  while (static_cast<double>(count) < most && !is_silent(from + count * step)) ++count;
  return std::min(static_cast<double>(count), most);
}

/// Half of the way to what comes next, a little at most.
double reach(double gap) { return std::clamp(gap / 2, 0.0, kMostAround); }

}  // namespace

std::optional<std::vector<UnitSpan>> align(const torch::Tensor& log_probs,
                                           const std::vector<std::int64_t>& units,
                                           const std::string& id) {
  if (torch::isnan(log_probs).any().item<bool>()) throw_not_numbers(id);
  const auto num_frames = log_probs.size(0);
  if (num_frames < least_frames(units)) return std::nullopt;
  std::vector<UnitSpan> spans(units.size());
  if (units.empty()) return spans;
  Trellis trellis(log_probs, units);
  const auto path = trellis.best_path();
  for (std::int64_t t = 0; t < num_frames; ++t) {
    const auto state = path[static_cast<std::size_t>(t)];
    if (state % 2 == 0) continue;
    auto& span = spans[static_cast<std::size_t>(state / 2)];
    if (span.end == 0) span.begin = t;
    span.end = t + 1;
  }
  set_confidence(spans, units, log_probs);
  return spans;
}

std::vector<WordSpan> word_spans(const torch::Tensor& log_probs,
                                 const std::vector<std::int64_t>& units, const text::Units& names,
                                 const std::string& id, const std::vector<bool>& silent) {
  const auto spelled = without_ends(units, names);
  const auto num_frames = log_probs.size(0);
  auto aligned = align(quiet_in(log_probs, silent), spelled, id);
  if (aligned) set_confidence(*aligned, spelled, log_probs);
  const auto spans = aligned.value_or(laid_out_evenly(size_of(spelled), num_frames));
  struct Part {
    std::size_t first = 0, last = 0;
  };
  std::vector<Part> parts;
  for (std::size_t i = 0; i < spelled.size(); ++i) {
    if (parts.empty() || starts_word(spelled[i], names)) {
      parts.push_back({.first = i, .last = i});
    } else {
      parts.back().last = i;
    }
  }
  std::vector<WordSpan> words;
  for (const auto& [first, last] : parts) {
    const std::vector<std::int64_t> own(spelled.begin() + static_cast<std::ptrdiff_t>(first),
                                        spelled.begin() + static_cast<std::ptrdiff_t>(last) + 1);
    const double before = first == 0 ? 0 : static_cast<double>(spans[first - 1].end);
    const double after =
        static_cast<double>(last + 1 == spans.size() ? num_frames : spans[last + 1].begin);
    WordSpan word{.word = names.detokenise(own), .confidence = 1};
    word.begin = static_cast<double>(spans[first].begin);
    word.end = static_cast<double>(spans[last].end);
    word.begin -= sounding_for(silent, spans[first].begin - 1, -1, reach(word.begin - before));
    word.end += sounding_for(silent, spans[last].end, 1, reach(after - word.end));
    for (auto i = first; i <= last; ++i)
      word.confidence = std::min(word.confidence, spans[i].confidence);
    if (!word.word.empty()) words.push_back(std::move(word));
  }
  return words;
}

}  // namespace raven::decode
