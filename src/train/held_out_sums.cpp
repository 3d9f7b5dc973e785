#include "train/held_out_sums.h"

#include <algorithm>
#include <span>

#include "raven/report/metric_names.h"

namespace raven::train {

using report::metric;

void HeldOutSums::add(const models::RecognizerLosses& losses) {
  ctc_ += losses.ctc.item<double>();
  attention_ += losses.attention.item<double>();
  correct_ += losses.correct.item<double>();
  count_ += losses.count.item<double>();
  utterances_ += static_cast<double>(losses.utterances);
}

void HeldOutSums::add_errors(const data::Batch& batch, models::Recognizer& recognizer,
                             const decode::Encoded& encoded) {
  const auto compare = [&](text::ErrorTotals& errors, std::size_t b,
                           const decode::Hypothesis& hypothesis) {
    const auto* labels = batch.labels[static_cast<std::int64_t>(b)].data_ptr<std::int64_t>();
    const std::span said(labels, static_cast<std::size_t>(batch.num_labels_of[b]));
    errors.add(
        text::compare(units_.detokenise_reference(said), units_.detokenise(hypothesis.units)));
  };
  if (ctc_weight_ > 0) {
    const auto best =
        decode::greedy_ctc(recognizer->ctc(encoded.frames), encoded.valid, encoded.ids);
    for (std::size_t b = 0; b < best.size(); ++b) compare(of_ctc_, b, best[b]);
  }
  if (ctc_weight_ < 1) {
    config::DecodeConfig greedy;
    greedy.kind = config::DecodeKind::kAttention;
    greedy.beam_size = 1;
    const auto best = decode::decode(recognizer, encoded, greedy);
    for (std::size_t b = 0; b < best.size(); ++b)
      compare(of_decoder_, b, best[b].empty() ? decode::Hypothesis{} : best[b].front());
  }
}

Numbers HeldOutSums::numbers() const {
  if (utterances_ == 0) return {};
  const double ctc = ctc_ / utterances_;
  const double attention = attention_ / (by_tokens_ ? std::max(count_, 1.0) : utterances_);
  Numbers numbers{{metric("valid_loss"), ctc_weight_ * ctc + (1 - ctc_weight_) * attention}};
  if (ctc_weight_ > 0) numbers[metric("valid_ctc")] = ctc;
  if (ctc_weight_ < 1) {
    numbers[metric("valid_attention")] = attention;
    numbers[metric("valid_accuracy")] = correct_ / std::max(count_, 1.0);
  }
  if (ctc_weight_ > 0) numbers[metric("valid_wer_ctc")] = of_ctc_.wer();
  if (ctc_weight_ < 1) numbers[metric("valid_wer_attention")] = of_decoder_.wer();
  return numbers;
}

}  // namespace raven::train
