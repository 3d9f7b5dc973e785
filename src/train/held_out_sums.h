// What a recognizer makes of held-out batches, added up.
#pragma once

#include "raven/config/finetune_config.h"
#include "raven/data/sample.h"
#include "raven/decode/decode.h"
#include "raven/models/recognizer.h"
#include "raven/text/error_rate.h"
#include "raven/text/units.h"
#include "raven/train/metrics.h"

namespace raven::train {

/// Losses and errors over held-out batches.
class HeldOutSums {
 public:
  HeldOutSums(const text::Units& units, const config::RecognitionLossConfig& config)
      : units_(units),
        ctc_weight_(config.ctc_weight),
        by_tokens_(config.attention_norm == config::AttentionNorm::kTokens) {}

  void add(const models::RecognizerLosses& losses);
  /// Word errors of greedy decoding, by each head that is trained.
  void add_errors(const data::Batch& batch, models::Recognizer& recognizer,
                  const decode::Encoded& encoded);
  /// valid_loss, valid_ctc, ...; none where nothing was added.
  [[nodiscard]] Numbers numbers() const;

 private:
  const text::Units& units_;
  double ctc_weight_;
  bool by_tokens_;
  double ctc_ = 0, attention_ = 0, correct_ = 0, count_ = 0, utterances_ = 0;
  text::ErrorTotals of_ctc_, of_decoder_;
};

}  // namespace raven::train
