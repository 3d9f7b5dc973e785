// The losses of pre-training, RAVEn's central idea: the student of one modality predicts what the
// momentum teacher of a modality makes of the unmasked clip (RAVEn, section 3; docs/method.md,
// section 2).
//
// A row of kLossTerms is all that a loss needs: from it come its weight `loss.<name>`, its
// predictor `model.predictors.<name>`, its part of the step, its metrics, its curves and its share
// of memory and arithmetic in `raven plan`.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "raven/config/modality.h"
#include "raven/core/error.h"

namespace raven::config {

struct LossTerm {
  std::string_view name;  // student first, target second
  Modality student, target;
  double weight = 0;  // as published; 0: no such loss unless asked for

  /// Student and teacher see the same modality.
  [[nodiscard]] constexpr bool is_within() const { return student == target; }
};

/// The video student's first; networks are made in this order.
inline constexpr std::array kLossTerms = {
    LossTerm{"v2v", Modality::kVideo, Modality::kVideo, 0},
    LossTerm{"v2a", Modality::kVideo, Modality::kAudio, 1},
    LossTerm{"a2a", Modality::kAudio, Modality::kAudio, 1},
    LossTerm{"a2v", Modality::kAudio, Modality::kVideo, 1},
};

/// Throws InternalError where no loss has this name.
constexpr std::size_t loss_index(std::string_view name) {
  for (std::size_t i = 0; i < kLossTerms.size(); ++i) {
    if (kLossTerms[i].name == name) return i;
  }
  throw InternalError("no loss is called '" + std::string(name) + "'");
}

/// Throws as above.
constexpr const LossTerm& loss_term(std::string_view name) { return kLossTerms[loss_index(name)]; }

/// A student's first loss, the one within its modality. Throws as above.
constexpr const LossTerm& first_term_of(Modality student) {
  for (const auto& term : kLossTerms) {
    if (term.student == student) return term;
  }
  throw InternalError("no loss has this student");
}

/// One value for each loss, by term or by name.
template <class T>
class PerLoss {
 public:
  explicit PerLoss(const T& everywhere)
      : PerLoss(everywhere, std::make_index_sequence<kLossTerms.size()>()) {}

  T& operator[](const LossTerm& term) { return (*this)[term.name]; }
  const T& operator[](const LossTerm& term) const { return (*this)[term.name]; }
  T& operator[](std::string_view name) { return values_[loss_index(name)]; }
  const T& operator[](std::string_view name) const { return values_[loss_index(name)]; }

  /// In the order of kLossTerms.
  auto begin() { return values_.begin(); }
  auto end() { return values_.end(); }

 private:
  template <std::size_t... I>
  PerLoss(const T& everywhere, std::index_sequence<I...>) : values_{((void)I, everywhere)...} {}

  std::array<T, kLossTerms.size()> values_;
};

PerLoss<double> published_weights();

/// "v2a and a2v": the names of the losses within a modality, or of those across.
std::string losses_text(bool within);

}  // namespace raven::config
