#include "report/result_findings.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <sstream>

#include "raven/media/media.h"
#include "report/html.h"

namespace raven::report {
namespace {

constexpr auto kFramesPerSecond = static_cast<double>(media::kFrameRateHz);

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

template <class Number>
std::optional<double> quantile(std::vector<Number> values, double share) {
  if (values.empty()) return std::nullopt;
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

/// The longest run of one word in a hypothesis: {word, how often}.
std::pair<std::string, int> longest_repeat(const std::vector<std::string>& words) {
  std::pair<std::string, int> longest;
  int times = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    times = i > 0 && words[i] == words[i - 1] ? times + 1 : 1;
    if (times > longest.second) longest = {words[i], times};
  }
  return longest;
}

std::string what_happened(const WorstUtterance& worst) {
  const auto heard = words_of(worst.hypothesis);
  const auto said = words_of(worst.reference);
  if (heard.empty()) return fmt::format("Nothing was recognised of {} words.", said.size());
  int substituted = 0, missing = 0, added = 0;
  for (const auto& word : worst.words) {
    substituted += word.kind == 'S' ? 1 : 0;
    missing += word.kind == 'D' ? 1 : 0;
    added += word.kind == 'I' ? 1 : 0;
  }
  if (worst.words.empty()) {
    return fmt::format("{} words were recognised where {} were said.", heard.size(), said.size());
  }
  std::vector<std::string> parts;
  if (substituted > 0) parts.push_back(fmt::format("{} substituted", substituted));
  if (missing > 0) parts.push_back(fmt::format("{} missing", missing));
  if (added > 0) parts.push_back(fmt::format("{} added", added));
  return fmt::format("{} of {} words: {}.", substituted + missing + added, said.size(),
                     fmt::join(parts, ", "));
}

const UtteranceResult* result_of(const std::string& id, const EvaluationRecord& evaluation) {
  const auto found = std::find_if(evaluation.utterances.begin(), evaluation.utterances.end(),
                                  [&](const auto& u) { return u.id == id; });
  return found == evaluation.utterances.end() ? nullptr : &*found;
}

void explain_length(const WorstUtterance& worst, const EvaluationRecord& evaluation,
                    std::vector<std::string>& reasons) {
  std::vector<double> frames, rates;
  for (const auto& u : evaluation.utterances) {
    if (!u.frames || *u.frames <= 0) continue;
    frames.push_back(*u.frames);
    rates.push_back(u.words / (*u.frames / kFramesPerSecond));
  }
  if (!worst.frames || *worst.frames <= 0 || frames.size() < 10) return;
  const double seconds = *worst.frames / kFramesPerSecond;
  const double shortest = *quantile(frames, 0.1), longest = *quantile(frames, 0.9);
  if (*worst.frames < shortest) {
    reasons.push_back(fmt::format("Short: {:.1f} s; nine of ten clips have more than {:.1f} s.",
                                  seconds, shortest / kFramesPerSecond));
  } else if (*worst.frames > longest) {
    reasons.push_back(fmt::format("Long: {:.1f} s; nine of ten clips have less than {:.1f} s.",
                                  seconds, longest / kFramesPerSecond));
  }
  const double rate = static_cast<double>(words_of(worst.reference).size()) / seconds;
  const double usual = *quantile(rates, 0.5);
  if (rate > 1.35 * usual) {
    reasons.push_back(fmt::format("Fast: {:.1f} words a second; usual are {:.1f}.", rate, usual));
  }
}

void explain_speaker(const UtteranceResult& own, const EvaluationRecord& evaluation,
                     std::vector<std::string>& reasons) {
  if (own.speaker.empty()) return;
  double words = 0, errors = 0, all_words = 0, all_errors = 0, clips = 0;
  for (const auto& u : evaluation.utterances) {
    all_words += u.words;
    all_errors += u.errors;
    if (u.speaker != own.speaker) continue;
    clips += 1;
    words += u.words;
    errors += u.errors;
  }
  if (clips < 3 || words == 0 || all_words == 0) return;
  const double rate = errors / words, usual = all_errors / all_words;
  if (rate > usual + 0.1) {
    reasons.push_back(fmt::format("Its speaker, {}, is hard: WER {} over {:.0f} clips; all: {}.",
                                  own.speaker, percent_text(rate), clips, percent_text(usual)));
  }
}

void explain_score(const UtteranceResult& own, const EvaluationRecord& evaluation,
                   std::vector<std::string>& reasons) {
  const auto per_word = [](const UtteranceResult& u) {
    return *u.score / std::max<double>(static_cast<double>(words_of(u.hypothesis).size()), 1);
  };
  std::vector<double> scores;
  for (const auto& u : evaluation.utterances) {
    if (u.score) scores.push_back(per_word(u));
  }
  if (!own.score || scores.size() < 10) return;
  const double score = per_word(own), usual = *quantile(scores, 0.5);
  const auto numbers = fmt::format("score {:.2f} a word, usual {:.2f}", score, usual);
  if (score >= usual) {
    reasons.push_back("The search was sure of it all the same: " + numbers + ".");
  } else if (score < *quantile(scores, 0.1)) {
    reasons.push_back("The search itself was unsure: " + numbers + ".");
  }
}

/// A recognizer that hears or sees next to nothing is no better for another search, and the best
/// unit of each frame has neither length bonus nor CTC weight.
bool may_be_the_search(const ErrorRates& rates) {
  constexpr double kRecognises = 0.6;
  const bool searched = !rates.by || rates.by->search.empty() || rates.by->search != "greedy_ctc";
  return searched && rates.warning.empty() && rates.wer < kRecognises;
}

}  // namespace

std::vector<Finding> result_findings(const EvaluationRecord& evaluation) {
  std::vector<Finding> found;
  if (!evaluation.rates) return found;
  const auto& rates = *evaluation.rates;
  const double deleted = rates.deletions.value_or(0), inserted = rates.insertions.value_or(0);
  const double errors = deleted + inserted + rates.substitutions.value_or(0);
  const bool search_may_help = may_be_the_search(rates);
  const auto tell = [&](double share, const char* what, const char* advice) {
    found.push_back({Mood::kUnclear,
                     fmt::format("{:.0f} % of the errors are {}{}.", 100 * share, what,
                                 search_may_help ? advice : ""),
                     "rates"});
  };
  if (errors >= 10 && deleted > 0.7 * errors) {
    tell(deleted / errors, "missing words",
         ": hypotheses end early; a larger length bonus or a lower CTC weight may help");
  }
  if (errors >= 10 && inserted > 0.4 * errors) {
    tell(inserted / errors, "added words",
         ": hypotheses run on; a higher CTC weight or a smaller length bonus may help");
  }
  if (rates.by && rates.by->unfinished) {
    found.push_back({Mood::kUnclear,
                     fmt::format("The weights are those of step {} of {}: the run was not at its "
                                 "end.",
                                 number_text(rates.by->step.value_or(0)),
                                 number_text(rates.by->steps.value_or(0))),
                     "rates"});
  }
  if (!rates.warning.empty()) found.push_back({Mood::kBad, rates.warning + ".", "rates"});
  std::int64_t empty = 0;
  for (const auto& u : evaluation.utterances) empty += u.hypothesis.empty() && u.words > 0 ? 1 : 0;
  if (empty > 0) {
    found.push_back({Mood::kUnclear,
                     fmt::format("{} of {} hypotheses are empty.", count_text(empty),
                                 count_text(std::ssize(evaluation.utterances))),
                     "worst"});
  }
  double skipped = 0;
  for (const auto& [reason, count] : rates.skipped) skipped += count;
  if (skipped > 0) {
    found.push_back({Mood::kUnclear,
                     counted(skipped, "utterance") + " skipped, not counted in the rates.",
                     "rates"});
  }
  return found;
}

std::vector<std::string> reasons(const WorstUtterance& worst, const EvaluationRecord& evaluation) {
  std::vector<std::string> reasons = {what_happened(worst)};
  const auto heard = words_of(worst.hypothesis), said = words_of(worst.reference);
  if (const auto [word, times] = longest_repeat(heard); times >= 3) {
    reasons.push_back(fmt::format("It repeats '{}' {} times.", word, times));
  } else if (heard.size() > 1.5 * static_cast<double>(said.size()) + 1) {
    reasons.push_back(fmt::format("It runs on: {} words for {}.", heard.size(), said.size()));
  }
  explain_length(worst, evaluation, reasons);
  const auto* own = result_of(worst.id, evaluation);
  if (own == nullptr) return reasons;
  if (own->chars && own->char_errors && *own->chars > 0 && *own->char_errors <= 0.3 * *own->chars) {
    reasons.push_back(fmt::format("Close: {:.0f} of {:.0f} characters are wrong.",
                                  *own->char_errors, *own->chars));
  }
  explain_speaker(*own, evaluation, reasons);
  explain_score(*own, evaluation, reasons);
  return reasons;
}
}  // namespace raven::report
