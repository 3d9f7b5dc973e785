// What can be read out of features by simple means that are fitted on other clips.
// Shapes: n frames or utterances, D width, K classes; N clips of W frames.
#pragma once

#include <torch/torch.h>

#include <cstdint>

#include "raven/train/probe.h"

namespace raven::evaluation {

struct LabelledFeatures {
  torch::Tensor features;  // (n, D) float32
  torch::Tensor labels;    // (n) int64, from 0 to K - 1
};

/// Shares of `score` that are read rightly, 0 to 1.
///
/// Linear: ridge regression (train::fit_ridge) to 1 for the label and 0 for the others; the largest
/// answer counts.
double linear_accuracy(const LabelledFeatures& fit, const LabelledFeatures& score,
                       std::int64_t classes);
/// Nearest: the vote of the `neighbours` fitted ones with the largest cosine, of features whose
/// channels are brought to mean 0 and deviation 1 over the fitted ones; of labels with as many
/// votes that with the larger sum of cosines.
double nearest_accuracy(const LabelledFeatures& fit, const LabelledFeatures& score,
                        std::int64_t classes, std::int64_t neighbours);
/// By chance: always the label that is most frequent among the fitted ones.
double majority_accuracy(const LabelledFeatures& fit, const LabelledFeatures& score,
                         std::int64_t classes);

struct RetrievalScores {
  double recall_1 = 0, recall_10 = 0;  // shares of queries whose own clip is among the first 1, 10
  double median_rank = 0;              // of the own clip, from 1
};

/// queries, candidates (N, W, D), of which those of the same number belong together. A candidate's
/// score is the mean over frames of the cosine between the two. Those with the same score share
/// their ranks' mean: features that are all alike find nothing.
RetrievalScores retrieve(const torch::Tensor& queries, const torch::Tensor& candidates);

}  // namespace raven::evaluation
