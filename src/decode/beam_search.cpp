#include "raven/decode/beam_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>

#include "raven/core/error.h"

namespace raven::decode {
namespace {

constexpr double kPreBeamRatio = 1.5;
/// The end is near when hypotheses of this many lengths in a row are this much worse than the best.
constexpr std::int64_t kEndLengths = 3;
constexpr double kEndMargin = -10;
/// Scores below it stand for the logarithm of 0.
constexpr double kExcluded = kLogZero / 2;

constexpr float kNever = -std::numeric_limits<float>::infinity();

/// A hypothesis' units, newest first; hypotheses share their past.
struct Node {
  std::int64_t unit = 0;
  std::vector<double> parts;  // of the hypothesis up to here; empty: the unit was not scored
  std::shared_ptr<const Node> past;
};

using Units = std::shared_ptr<const Node>;

Units appended(Units past, std::int64_t unit, std::vector<double> parts) {
  return std::make_shared<const Node>(
      Node{.unit = unit, .parts = std::move(parts), .past = std::move(past)});
}

/// A unit appended to a hypothesis.
struct Step {
  std::int64_t parent, unit;
  double score;
  std::vector<double> parts;
};

std::vector<const Node*> oldest_first(const Units& units) {
  std::vector<const Node*> list;
  for (const auto* node = units.get(); node != nullptr; node = node->past.get())
    list.push_back(node);
  std::reverse(list.begin(), list.end());
  return list;
}

/// Longer hypotheses only get worse: for each of the lengths `step` - 2, ..., `step` one has
/// finished, and the best of them is far below the best of all.
bool end_detected(const std::vector<Hypothesis>& finished, std::int64_t step) {
  double best = -std::numeric_limits<double>::infinity();
  std::vector<double> best_of(kEndLengths, best);
  for (const auto& one : finished) {
    best = std::max(best, one.score);
    const auto length = static_cast<std::int64_t>(one.units.size()) + 1;  // with the start
    if (length > step || length <= step - kEndLengths) continue;
    auto& of_length = best_of[static_cast<std::size_t>(step - length)];
    of_length = std::max(of_length, one.score);
  }
  return std::all_of(best_of.begin(), best_of.end(), [&](double of_length) {
    return std::isfinite(of_length) && of_length - best < kEndMargin;
  });
}

std::int64_t step_limit(double max_length_ratio, std::int64_t num_frames) {
  if (num_frames == 0) return 0;
  if (max_length_ratio == 0) return num_frames;
  if (max_length_ratio < 0) return static_cast<std::int64_t>(-max_length_ratio);
  return std::max<std::int64_t>(
      1, static_cast<std::int64_t>(max_length_ratio * static_cast<double>(num_frames)));
}

/// The search of one utterance, without the arithmetic.
class Utterance {
 public:
  Utterance(std::int64_t limit, bool detects_end, std::int64_t end_unit,
            const std::vector<std::string>& names)
      : limit_(limit), detects_end_(detects_end), end_unit_(end_unit), names_(names) {
    if (limit > 0) running_.emplace_back();
  }

  [[nodiscard]] bool done() const { return running_.empty(); }

  /// Takes the best continuations and returns those that go on.
  std::vector<Step> take(const std::vector<Step>& best) {
    std::vector<Units> running;
    std::vector<Step> going_on;
    const bool last_step = steps_ + 1 == limit_;
    for (const auto& step : best) {
      auto units = appended(running_[static_cast<std::size_t>(step.parent)], step.unit, step.parts);
      if (last_step) {
        finish(appended(std::move(units), end_unit_, /*parts=*/{}), step);
      } else if (step.unit == end_unit_) {
        finish(units, step);
      } else {
        running.push_back(std::move(units));
        going_on.push_back(step);
      }
    }
    const bool stop = detects_end_ && end_detected(finished_, steps_);
    ++steps_;
    if (stop) running.clear(), going_on.clear();
    running_ = std::move(running);
    return going_on;
  }

  SearchResult result(std::int64_t detailed) {
    std::vector<std::size_t> order(finished_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return finished_[a].score > finished_[b].score;
    });
    SearchResult result{.hypotheses = {}, .steps = steps_};
    for (const auto i : order) {
      if (std::ssize(result.hypotheses) < detailed) tell_unit_parts(i);
      result.hypotheses.push_back(std::move(finished_[i]));
    }
    return result;
  }

 private:
  void finish(const Units& units, const Step& step) {
    Hypothesis hypothesis{.units = {}, .score = step.score, .parts = {}, .unit_parts = {}};
    for (const auto* node : oldest_first(units)) hypothesis.units.push_back(node->unit);
    for (std::size_t i = 0; i < names_.size(); ++i) hypothesis.parts[names_[i]] = step.parts[i];
    finished_.push_back(std::move(hypothesis));
    nodes_.push_back(units);
  }

  void tell_unit_parts(std::size_t finished) {
    const auto nodes = oldest_first(nodes_[finished]);
    for (std::size_t i = 0; i < names_.size(); ++i) {
      auto& of_units = finished_[finished].unit_parts[names_[i]];
      double before = 0;
      for (const auto* node : nodes) {
        const bool scored = !node->parts.empty();
        of_units.push_back(scored ? node->parts[i] - before
                                  : std::numeric_limits<double>::quiet_NaN());
        if (scored) before = node->parts[i];
      }
    }
  }

  std::int64_t limit_, steps_ = 0;
  bool detects_end_;
  std::int64_t end_unit_;
  std::vector<std::string> names_;
  std::vector<Units> running_;
  std::vector<Hypothesis> finished_;
  std::vector<Units> nodes_;  // of the finished
};

/// The arithmetic of a search: what stands on the device. Shapes: B utterances that are not done,
/// S hypotheses of each (some of them padding, with a score of minus infinity), P candidates.
class Scores {
 public:
  Scores(SearchScorers& scorers, const SearchOptions& options, std::int64_t num_utterances)
      : scorers_(scorers), options_(options) {
    const auto floats = torch::TensorOptions(torch::kFloat32).device(options.device);
    newest_ = torch::full({num_utterances, 1}, options.end_unit, floats.dtype(torch::kInt64));
    total_ = torch::zeros({num_utterances, 1}, floats);
    parts_.assign(names().size(), total_.to(torch::kFloat64));
  }

  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& one : scorers_.full) names.push_back(one.name);
    if (scorers_.ctc) names.emplace_back("ctc");
    return names;
  }

  /// The best continuations of each utterance, best first; at most a beam of them.
  std::vector<std::vector<Step>> best_steps();
  /// Goes on with these steps of the utterances `rows`.
  void select(const std::vector<std::int64_t>& rows, const std::vector<std::vector<Step>>& steps);

 private:
  [[nodiscard]] torch::Tensor candidates(const std::vector<torch::Tensor>& of_full) const;

  SearchScorers& scorers_;
  const SearchOptions& options_;
  torch::Tensor newest_;              // (B, S)
  torch::Tensor total_;               // (B, S) weighted
  std::vector<torch::Tensor> parts_;  // (B, S) float64, unweighted
};

torch::Tensor Scores::candidates(const std::vector<torch::Tensor>& of_full) const {
  if (!scorers_.proposer || !scorers_.ctc) return {};
  const auto& proposed = of_full[*scorers_.proposer];
  const auto count =
      static_cast<std::int64_t>(kPreBeamRatio * static_cast<double>(options_.beam_size));
  if (count >= proposed.size(2)) return {};
  const auto best = std::get<1>(proposed.topk(count, -1, /*largest=*/true, /*sorted=*/false));
  const auto end = torch::full({best.size(0), best.size(1), 1}, options_.end_unit, best.options());
  return torch::cat({best, end}, 2);  // (B, S, P); the end may be there twice
}

std::vector<std::vector<Step>> Scores::best_steps() {
  std::vector<torch::Tensor> of_each;  // (B, S, P), unweighted
  for (const auto& one : scorers_.full) of_each.push_back(one.scorer->score(newest_));
  const auto units = candidates(of_each);
  if (units.defined()) {
    for (auto& scores : of_each) scores = scores.gather(2, units);
  }
  torch::Tensor sum;
  const auto add = [&](const torch::Tensor& scores, double weight) {
    sum = sum.defined() ? sum + weight * scores : weight * scores;
  };
  for (std::size_t i = 0; i < of_each.size(); ++i) add(of_each[i], scorers_.full[i].weight);
  if (scorers_.ctc) {
    of_each.push_back(scorers_.ctc->score(units));
    add(of_each.back(), scorers_.ctc_weight);
    sum = sum.masked_fill(of_each.back() < kExcluded, kNever);
  }
  if (units.defined()) {  // the end counts once, in the last place
    auto proposed_end = units == options_.end_unit;
    proposed_end.select(2, -1).fill_(false);
    sum = sum.masked_fill(proposed_end, kNever);
  }
  sum = (sum + total_.unsqueeze(2)).flatten(1);  // (B, S * P)
  const auto width = of_each.front().size(2);
  const auto [best, places] = sum.topk(std::min(options_.beam_size, sum.size(1)), -1);  // (B, K)
  const auto parents = places.floor_divide(width);
  const auto chosen = units.defined() ? units.flatten(1).gather(1, places) : places % width;
  std::vector<torch::Tensor> rows = {best.to(torch::kFloat64), parents.to(torch::kFloat64),
                                     chosen.to(torch::kFloat64)};
  for (std::size_t i = 0; i < of_each.size(); ++i) {
    rows.push_back(parts_[i].gather(1, parents) + of_each[i].flatten(1).gather(1, places));
  }
  const auto table = torch::stack(rows, -1).cpu().contiguous();  // (B, K, 3 + parts): one transfer
  const auto* numbers = table.data_ptr<double>();
  std::vector<std::vector<Step>> steps(static_cast<std::size_t>(table.size(0)));
  for (auto& of_utterance : steps) {
    for (std::int64_t k = 0; k < table.size(1); ++k, numbers += table.size(2)) {
      if (numbers[0] == kNever) continue;
      of_utterance.push_back({.parent = static_cast<std::int64_t>(numbers[1]),
                              .unit = static_cast<std::int64_t>(numbers[2]),
                              .score = numbers[0],
                              .parts = {numbers + 3, numbers + table.size(2)}});
    }
  }
  return steps;
}

void Scores::select(const std::vector<std::int64_t>& rows,
                    const std::vector<std::vector<Step>>& steps) {
  std::size_t widest = 0;
  for (const auto& of_utterance : steps) widest = std::max(widest, of_utterance.size());
  const auto num_rows = static_cast<std::int64_t>(rows.size()),
             num_slots = static_cast<std::int64_t>(widest);
  const auto num_parts = static_cast<std::int64_t>(parts_.size());
  auto places = torch::zeros({2, num_rows, num_slots}, torch::kInt64);
  auto scores = torch::zeros({1 + num_parts, num_rows, num_slots}, torch::kFloat64);
  places[1].fill_(options_.end_unit);
  scores[0].fill_(kNever);
  auto place = places.accessor<std::int64_t, 3>();
  auto score = scores.accessor<double, 3>();
  for (std::int64_t b = 0; b < num_rows; ++b) {
    const auto& of_utterance = steps[static_cast<std::size_t>(b)];
    for (std::size_t k = 0; k < of_utterance.size(); ++k) {
      const auto s = static_cast<std::int64_t>(k);
      place[0][b][s] = of_utterance[k].parent;
      place[1][b][s] = of_utterance[k].unit;
      score[0][b][s] = of_utterance[k].score;
      for (std::int64_t i = 0; i < num_parts; ++i) {
        score[1 + i][b][s] = of_utterance[k].parts[static_cast<std::size_t>(i)];
      }
    }
  }
  const auto device = newest_.device();
  const auto utterances = torch::tensor(rows, torch::kInt64).to(device);
  places = places.to(device), scores = scores.to(device);
  const auto parents = places[0];
  newest_ = places[1];
  for (auto& one : scorers_.full) one.scorer->select(utterances, parents);
  if (scorers_.ctc) scorers_.ctc->select(utterances, parents, newest_, scores[num_parts]);
  total_ = scores[0].to(torch::kFloat32);
  for (std::int64_t i = 0; i < num_parts; ++i) {
    parts_[static_cast<std::size_t>(i)] = scores[1 + i];
  }
}

void check(const SearchScorers& scorers, const SearchOptions& options) {
  if (options.beam_size < 1) {
    throw ConfigError(
        fmt::format("a beam search with a beam of {}, expected at least 1", options.beam_size));
  }
  if (scorers.full.empty() && !scorers.ctc) {
    throw ConfigError(
        "a beam search in which decoder, CTC, language model and length bonus all weigh 0; give at "
        "least one a weight");
  }
}

void check_numbers(const std::vector<Step>& steps, const std::string& id) {
  for (const auto& step : steps) {
    if (std::isnan(step.score)) throw_not_numbers(id);
  }
}

}  // namespace

void throw_not_numbers(const std::string& id) {
  throw DataError(fmt::format("'{}': the scores of its units are not numbers (NaN); the input or "
                              "the model's weights hold NaN or infinity",
                              id),
                  "nan");
}

std::vector<SearchResult> beam_search(SearchScorers& scorers, const SearchOptions& options,
                                      const std::vector<std::int64_t>& num_frames,
                                      const std::vector<std::string>& ids) {
  check(scorers, options);
  RAVEN_CHECK(num_frames.size() == ids.size(), "{} ids of {} utterances", ids.size(),
              num_frames.size());
  Scores scores(scorers, options, static_cast<std::int64_t>(ids.size()));
  std::vector<Utterance> utterances;
  std::vector<std::size_t> active;
  for (std::size_t u = 0; u < ids.size(); ++u) {
    utterances.emplace_back(step_limit(options.max_length_ratio, num_frames[u]),
                            options.max_length_ratio == 0, options.end_unit, scores.names());
    active.push_back(u);
  }
  const auto unfinished = [&](std::size_t u) { return !utterances[u].done(); };
  while (std::any_of(active.begin(), active.end(), unfinished)) {
    const auto best = scores.best_steps();
    std::vector<std::size_t> still_active;
    std::vector<std::int64_t> rows;
    std::vector<std::vector<Step>> going_on;
    for (std::size_t row = 0; row < active.size(); ++row) {
      auto& utterance = utterances[active[row]];
      if (utterance.done()) continue;
      check_numbers(best[row], ids[active[row]]);
      auto steps = utterance.take(best[row]);
      if (utterance.done()) continue;
      still_active.push_back(active[row]);
      rows.push_back(static_cast<std::int64_t>(row));
      going_on.push_back(std::move(steps));
    }
    active = std::move(still_active);
    if (!active.empty()) scores.select(rows, going_on);
  }
  std::vector<SearchResult> results;
  for (auto& utterance : utterances) results.push_back(utterance.result(options.detailed));
  return results;
}

}  // namespace raven::decode
