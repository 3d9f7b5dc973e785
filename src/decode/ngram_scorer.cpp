#include "raven/decode/ngram_scorer.h"

#include <algorithm>

#include "raven/core/error.h"
#include "raven/text/normalise.h"

namespace raven::decode {
namespace {

using text::NgramWord;

constexpr std::size_t kMostKnown = 4096;  // histories whose scores are kept

}  // namespace

NgramOfUnits::NgramOfUnits(std::shared_ptr<const text::NgramModel> model, const text::Units& units)
    : model_(std::move(model)) {
  for (NgramWord word = 0; word < model_->num_words() && of_words_; ++word)
    of_words_ = !model_->word(word).starts_with(text::kWordStart);
  for (std::int64_t unit = 0; unit < units.size(); ++unit) {
    std::string_view piece = units.piece(unit);
    starts_.push_back(piece.starts_with(text::kWordStart));
    if (starts_.back()) piece.remove_prefix(text::kWordStart.size());
    pieces_.emplace_back(piece);
    words_.push_back(model_->find_or_unknown(units.piece(unit)));
  }
  words_.back() = model_->end();
  if (!of_words_) return;
  for (NgramWord word = 0; word < model_->num_words(); ++word) {
    const auto& text = model_->word(word);
    if (!text.starts_with('<')) by_form_.emplace(text::normalise(text), word);
  }
}

NgramWord NgramOfUnits::find(const std::string& word) const {
  const auto found = by_form_.find(text::normalise(word));
  return found != by_form_.end() ? found->second
                                 : model_->find_or_unknown(text::NgramModel::kUnknown);
}

bool NgramOfUnits::starts_word(std::int64_t unit) const {
  return starts_[static_cast<std::size_t>(unit)];
}

void NgramScorer::push(State& state, NgramWord word) const {
  const auto kept = static_cast<std::size_t>(model_->model().order() - 1);
  state.history.push_back(word);
  if (state.history.size() > kept) state.history.erase(state.history.begin());
}

void NgramScorer::read(State& state, std::int64_t unit) const {
  if (!model_->of_words()) {
    push(state, model_->words()[static_cast<std::size_t>(unit)]);
    return;
  }
  if (model_->starts_word(unit)) {
    if (!state.word.empty()) push(state, model_->find(state.word));
    state.word.clear();
  }
  state.word += model_->letters(unit);
}

torch::Tensor NgramScorer::score(const torch::Tensor& newest) {
  const auto on_host = newest.cpu();
  const auto units = on_host.accessor<std::int64_t, 2>();
  if (states_.empty()) {
    State start;
    push(start, model_->model().begin());
    states_.assign(static_cast<std::size_t>(units.size(0)), {start});
  } else {
    for (std::size_t b = 0; b < states_.size(); ++b) {
      for (std::size_t s = 0; s < states_[b].size(); ++s)
        read(states_[b][s], units[static_cast<std::int64_t>(b)][static_cast<std::int64_t>(s)]);
    }
  }
  RAVEN_CHECK(std::ssize(states_) == units.size(0) && std::ssize(states_[0]) == units.size(1),
              "an n-gram scorer was told of other hypotheses than it has selected");
  return (model_->of_words() ? score_words() : score_units()).to(newest.device());
}

torch::Tensor NgramScorer::score_words() const {
  const auto batch = std::ssize(states_), width = std::ssize(states_[0]),
             num_units = model_->num_units();
  auto scores = torch::zeros({batch, width, num_units}, torch::kFloat32);
  auto* at = scores.data_ptr<float>();
  for (const auto& hypotheses : states_) {
    for (const auto& state : hypotheses) {
      double word_score = 0;
      auto with_word = state;
      if (!state.word.empty()) {
        const auto word = model_->find(state.word);
        word_score = model_->model().log_prob(state.history, word);
        push(with_word, word);
        for (std::int64_t unit = 0; unit < num_units; ++unit) {
          if (model_->starts_word(unit)) at[unit] = static_cast<float>(word_score);
        }
      }
      at[num_units - 1] = static_cast<float>(
          word_score + model_->model().log_prob(with_word.history, model_->model().end()));
      at += num_units;
    }
  }
  return scores;
}

const std::vector<float>& NgramScorer::unit_scores(const std::vector<NgramWord>& history) {
  const auto found = known_.find(history);
  if (found != known_.end()) return found->second;
  if (known_.size() >= kMostKnown) known_.clear();
  const auto of_words = model_->model().log_probs(history);
  std::vector<float> scores;
  for (const auto word : model_->words())
    scores.push_back(word < 0 ? of_words.back() : of_words[static_cast<std::size_t>(word)]);
  return known_.emplace(history, std::move(scores)).first->second;
}

torch::Tensor NgramScorer::score_units() {
  const auto batch = std::ssize(states_), width = std::ssize(states_[0]);
  auto scores = torch::empty({batch, width, model_->num_units()}, torch::kFloat32);
  auto* at = scores.data_ptr<float>();
  for (const auto& hypotheses : states_) {
    for (const auto& state : hypotheses) at = std::ranges::copy(unit_scores(state.history), at).out;
  }
  return scores;
}

void NgramScorer::select(const torch::Tensor& utterances, const torch::Tensor& parents) {
  const auto rows_on_host = utterances.cpu(), parents_on_host = parents.cpu();
  const auto rows = rows_on_host.accessor<std::int64_t, 1>();
  const auto of_row = parents_on_host.accessor<std::int64_t, 2>();
  std::vector<std::vector<State>> chosen(static_cast<std::size_t>(rows.size(0)));
  for (std::int64_t b = 0; b < rows.size(0); ++b) {
    const auto& before = states_.at(static_cast<std::size_t>(rows[b]));
    for (std::int64_t s = 0; s < of_row.size(1); ++s)
      chosen[static_cast<std::size_t>(b)].push_back(
          before.at(static_cast<std::size_t>(of_row[b][s])));
  }
  states_ = std::move(chosen);
}

}  // namespace raven::decode
