// An n-gram model as what a search asks about its hypotheses.
// Shapes: B utterances, S hypotheses of each, V units of the vocabulary.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "raven/decode/scorer.h"
#include "raven/text/ngram.h"
#include "raven/text/units.h"

namespace raven::decode {

/// An n-gram model that knows the units of a recognizer: a model of units, if one of its words
/// begins with the mark of word starts, else a model of words. Words are compared in the form of
/// text::normalise(), so that one in small letters serves a vocabulary in capitals.
class NgramOfUnits {
 public:
  NgramOfUnits(std::shared_ptr<const text::NgramModel> model, const text::Units& units);

  [[nodiscard]] const text::NgramModel& model() const { return *model_; }
  [[nodiscard]] std::int64_t num_units() const { return std::ssize(pieces_); }
  [[nodiscard]] bool of_words() const { return of_words_; }
  /// Of a model of units: the word that stands for each unit, -1: none.
  [[nodiscard]] const std::vector<text::NgramWord>& words() const { return words_; }
  /// Of a model of words: the word that pieces spell, or that of the unknown, -1: none.
  [[nodiscard]] text::NgramWord find(const std::string& word) const;
  [[nodiscard]] bool starts_word(std::int64_t unit) const;
  /// A unit's letters, without the mark of a word's start.
  [[nodiscard]] const std::string& letters(std::int64_t unit) const {
    return pieces_[static_cast<std::size_t>(unit)];
  }

 private:
  std::shared_ptr<const text::NgramModel> model_;
  bool of_words_ = true;
  std::vector<std::string> pieces_;
  std::vector<bool> starts_;
  std::vector<text::NgramWord> words_;
  std::unordered_map<std::string, text::NgramWord> by_form_;
};

/// Log-probabilities of an n-gram model. One of words scores a word when it ends: with the unit
/// that begins the next one, or with the end of the sentence.
class NgramScorer : public Scorer {
 public:
  explicit NgramScorer(std::shared_ptr<const NgramOfUnits> model) : model_(std::move(model)) {}
  torch::Tensor score(const torch::Tensor& newest) override;
  void select(const torch::Tensor& utterances, const torch::Tensor& parents) override;

 private:
  struct State {
    std::vector<text::NgramWord> history;  // the last order - 1
    std::string word;                      // of a model of words: what was spelt of the next one
  };

  void read(State& state, std::int64_t unit) const;
  void push(State& state, text::NgramWord word) const;
  torch::Tensor score_words() const;
  torch::Tensor score_units();
  const std::vector<float>& unit_scores(const std::vector<text::NgramWord>& history);

  std::shared_ptr<const NgramOfUnits> model_;
  std::vector<std::vector<State>> states_;  // (B, S); empty before the first unit
  std::map<std::vector<text::NgramWord>, std::vector<float>> known_;  // scores (V) by history
};

}  // namespace raven::decode
