#include "raven/selftrain/pseudo_labels.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/utf8.h"
#include "raven/media/media.h"
#include "raven/text/edit_distance.h"
#include "raven/text/error_rate.h"
#include "raven/text/normalise.h"
#include "raven/text/words.h"

namespace raven::selftrain {
namespace {

using config::ConfidenceRule;
using config::LabelFilterConfig;

constexpr int kShares = 10;  // a tenth to all

std::vector<std::int32_t> without_end(const std::vector<std::int64_t>& units, std::int64_t end) {
  std::vector<std::int32_t> kept;
  for (const auto unit : units) {
    if (unit != end) kept.push_back(static_cast<std::int32_t>(unit));
  }
  return kept;
}

std::vector<std::int32_t> letters_of(std::string_view text) {
  std::vector<std::int32_t> codes;
  while (!text.empty()) {
    const auto code = take_character(text).code;
    if (!text::is_space(code)) codes.push_back(static_cast<std::int32_t>(code));
  }
  return codes;
}

std::vector<double> known(const std::vector<double>& values) {
  std::vector<double> finite;
  std::ranges::copy_if(values, std::back_inserter(finite), [](double v) { return !std::isnan(v); });
  return finite;
}

PseudoLabel label_of(const data::Utterance& utterance, const evaluation::NbestList& decoded,
                     const text::Units& units) {
  PseudoLabel label{.id = utterance.id, .text = {}, .frames = utterance.frames};
  if (decoded.alternatives.empty()) return label;
  const auto& best = decoded.alternatives.front();
  const auto said = without_end(best.units, units.eos());
  label.text = best.text;
  label.num_units = std::ssize(said);
  label.confidence = best.confidence;
  label.score_per_unit =
      best.score / static_cast<double>(std::max<std::size_t>(best.units.size(), 1));
  if (decoded.ctc) label.agreement = agreement(said, without_end(*decoded.ctc, units.eos()));
  return label;
}

bool below(const std::optional<double>& value, double least) { return !value || *value < least; }

/// Without words, or with <unk>: such a label is rejected under any filter.
bool is_no_label(const PseudoLabel& label) {
  return label.num_units == 0 || text::split_words(label.text).empty() ||
         label.text.find("<unk>") != std::string::npos;
}

/// Why a label is not trusted, whatever the others are; empty: it is.
std::string reason_of(const PseudoLabel& label, const LabelFilterConfig& filter) {
  if (is_no_label(label))
    return label.text.find("<unk>") == std::string::npos ? "empty" : "unknown";
  const double rate = static_cast<double>(label.num_units) * media::kFrameRateHz /
                      static_cast<double>(std::max<std::int64_t>(label.frames, 1));
  if (filter.min_units_per_s && rate < *filter.min_units_per_s) return "length";
  if (filter.max_units_per_s && rate > *filter.max_units_per_s) return "length";
  if (filter.confidence == ConfidenceRule::kLowest &&
      below(label.lowest_confidence(), filter.min_confidence))
    return "confidence";
  if (filter.confidence == ConfidenceRule::kMean &&
      below(label.mean_confidence(), filter.min_confidence))
    return "confidence";
  if (filter.min_agreement > 0 && below(label.agreement, filter.min_agreement)) return "agreement";
  if (!filter.other.empty() && below(label.other_agreement, filter.min_other_agreement))
    return "other";
  return {};
}

/// The best first; of equal ones the id decides, so that the order follows from the labels alone.
void sort_by(std::vector<const PseudoLabel*>& labels,
             const std::function<double(const PseudoLabel&)>& value) {
  std::ranges::sort(labels, [&](const auto* a, const auto* b) {
    const double of_a = value(*a), of_b = value(*b);
    return of_a != of_b ? of_a > of_b : a->id < b->id;
  });
}

using Criterion = std::function<std::optional<double>(const PseudoLabel&)>;

std::vector<std::pair<std::string, Criterion>> criteria() {
  return {{"score", [](const auto& one) { return std::optional(one.score_per_unit); }},
          {"lowest_confidence", [](const auto& one) { return one.lowest_confidence(); }},
          {"mean_confidence", [](const auto& one) { return one.mean_confidence(); }},
          {"agreement", [](const auto& one) { return one.agreement; }},
          {"other", [](const auto& one) { return one.other_agreement; }}};
}

std::string number(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? fmt::format("{:.6f}", *value) : "";
}

/// For a cell of a table.
std::string cell(std::string text) {
  for (char& c : text) {
    if (c == '\t' || c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

}  // namespace

std::optional<double> PseudoLabel::lowest_confidence() const {
  const auto values = known(confidence);
  return values.empty() ? std::nullopt : std::optional(std::ranges::min(values));
}

std::optional<double> PseudoLabel::mean_confidence() const {
  const auto values = known(confidence);
  if (values.empty()) return std::nullopt;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double agreement(std::span<const std::int32_t> label, std::span<const std::int32_t> other) {
  if (label.empty()) return other.empty() ? 1 : 0;
  const auto edits = static_cast<double>(text::edit_distance(label, other));
  return std::max(0.0, 1 - edits / static_cast<double>(label.size()));
}

double agreement_of_texts(std::string_view label, std::string_view other) {
  return agreement(letters_of(text::normalise(label)), letters_of(text::normalise(other)));
}

std::vector<PseudoLabel> labels_of(const data::Manifest& manifest,
                                   const std::vector<evaluation::NbestList>& decoded,
                                   const text::Units& units,
                                   const std::map<std::string, std::string>& others) {
  std::map<std::string_view, const evaluation::NbestList*> by_id;
  for (const auto& one : decoded) by_id[one.id] = &one;
  std::vector<PseudoLabel> labels;
  for (const auto& utterance : manifest.utterances) {
    const auto found = by_id.find(utterance.id);
    if (found == by_id.end()) continue;
    labels.push_back(label_of(utterance, *found->second, units));
    if (const auto other = others.find(utterance.id); other != others.end())
      labels.back().other_agreement = agreement_of_texts(labels.back().text, other->second);
  }
  return labels;
}

void judge(std::vector<PseudoLabel>& labels, const LabelFilterConfig& filter) {
  std::vector<const PseudoLabel*> passed;
  for (auto& label : labels) {
    label.rejected = reason_of(label, filter);
    if (label.rejected.empty()) passed.push_back(&label);
  }
  sort_by(passed, [](const auto& label) { return label.score_per_unit; });
  const auto kept = static_cast<std::size_t>(
      std::ceil(filter.share_kept * static_cast<double>(passed.size()) - 1e-9));
  std::map<std::string_view, bool> is_behind;
  for (std::size_t i = kept; i < passed.size(); ++i) is_behind[passed[i]->id] = true;
  for (auto& label : labels) {
    if (is_behind.contains(label.id)) label.rejected = "rank";
  }
}

std::map<std::string, std::int64_t> count_by_reason(const std::vector<PseudoLabel>& labels) {
  std::map<std::string, std::int64_t> counts{{"kept", 0}};
  for (const auto& label : labels) ++counts[label.rejected.empty() ? "kept" : label.rejected];
  return counts;
}

double ErrorAtShare::rate() const {
  return words == 0 ? std::nan("") : static_cast<double>(errors) / static_cast<double>(words);
}

std::vector<ErrorAtShare> errors_by_share(const std::vector<PseudoLabel>& labels,
                                          const std::map<std::string, std::string>& truth) {
  struct Count {
    std::int64_t words = 0, errors = 0;
  };
  std::map<std::string_view, Count> counts;
  std::vector<const PseudoLabel*> scored;
  for (const auto& label : labels) {
    const auto said = truth.find(label.id);
    if (said == truth.end() || said->second.empty()) continue;
    const auto errors = text::compare(said->second, text::normalise(label.text));
    counts[label.id] = {errors.words.reference_tokens(), errors.words.errors()};
    scored.push_back(&label);
  }
  std::vector<ErrorAtShare> result;
  const auto add = [&](const std::string& criterion, double share, auto first, auto last) {
    ErrorAtShare row{.criterion = criterion, .share = share, .labels = last - first};
    for (; first != last; ++first) {
      const auto& count = counts.at((*first)->id);
      row.words += count.words, row.errors += count.errors;
    }
    result.push_back(row);
  };
  const auto all = std::ssize(scored);
  // Never trusted, whatever they are ranked by, which for a text without words means little.
  std::erase_if(scored, [](const auto* one) { return is_no_label(*one); });
  for (const auto& [name, criterion] : criteria()) {
    if (scored.empty()) break;
    const auto& value = criterion;  // which a lambda may capture
    if (!std::ranges::all_of(scored, [&](const auto* one) { return value(*one).has_value(); }))
      continue;
    sort_by(scored, [&](const auto& one) { return *value(one); });
    for (int k = 1; k <= kShares; ++k) {
      const auto count = (std::ssize(scored) * k + kShares - 1) / kShares;
      add(name, static_cast<double>(k) / kShares, scored.begin(), scored.begin() + count);
    }
  }
  std::erase_if(scored, [](const auto* one) { return !one->rejected.empty(); });
  if (all > 0)
    add("kept", static_cast<double>(std::ssize(scored)) / static_cast<double>(all), scored.begin(),
        scored.end());
  return result;
}

void write_labels(const std::filesystem::path& file, const std::vector<PseudoLabel>& labels) {
  std::string text =
      "id\tkept\trejected\tscore\tlowest_confidence\tmean_confidence\tagreement\tother_agreement\t"
      "frames\tunits\ttext\tconfidence\n";
  for (const auto& one : labels) {
    std::vector<std::string> confidence;
    for (const auto value : one.confidence)
      confidence.push_back(std::isnan(value) ? "-" : fmt::format("{:.4f}", value));
    text += fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", cell(one.id),
                        one.rejected.empty() ? 1 : 0, one.rejected, number(one.score_per_unit),
                        number(one.lowest_confidence()), number(one.mean_confidence()),
                        number(one.agreement), number(one.other_agreement), one.frames,
                        one.num_units, cell(one.text), fmt::join(confidence, " "));
  }
  write_file_atomically(file, text);
}

void write_errors(const std::filesystem::path& file, const std::vector<ErrorAtShare>& errors) {
  std::string text = "criterion\tshare\tlabels\twords\terrors\twer\n";
  for (const auto& row : errors) {
    text += fmt::format("{}\t{:.4f}\t{}\t{}\t{}\t{}\n", row.criterion, row.share, row.labels,
                        row.words, row.errors, number(row.rate()));
  }
  write_file_atomically(file, text);
}

data::Manifest kept_utterances(const data::Manifest& manifest,
                               const std::vector<PseudoLabel>& labels) {
  std::map<std::string_view, const PseudoLabel*> kept;
  for (const auto& label : labels) {
    if (label.rejected.empty()) kept[label.id] = &label;
  }
  data::Manifest list{.file = manifest.file, .utterances = {}};
  for (auto utterance : manifest.utterances) {
    const auto found = kept.find(utterance.id);
    if (found == kept.end()) continue;
    utterance.text = found->second->text;
    utterance.text_is_units = false;
    list.utterances.push_back(std::move(utterance));
  }
  return list;
}

}  // namespace raven::selftrain
