// What each utterance weighs in a step of fine-tuning, on the lists of lengths of batches.json.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "raven/data/batching.h"
#include "raven/train/finetune_task.h"
#include "raven/train/updater.h"
#include "support/parity.h"
#include "support/ranks_in_threads.h"
#include "train/step_inputs_of.h"

namespace raven::train {
namespace {

using config::LossMean;
using data::BatchList;
using Indices = std::vector<std::int64_t>;
using Weights = std::map<std::int64_t, double>;  // of each utterance, by its number in the list

constexpr std::int64_t kSide = 20;   // pixels
constexpr double kTolerance = 1e-3;  // relative; weights that could be mixed up differ by far more

/// Every utterance says a unit of its own, so that this unit's embedding has the gradient of that
/// utterance alone.
std::int64_t unit_of(std::int64_t utterance) { return 2 + utterance; }

text::Units units_for(const Indices& sizes) {
  std::vector<std::string> pieces;
  for (std::size_t i = 0; i < sizes.size(); ++i) pieces.push_back("u" + std::to_string(i));
  return text::Units(pieces);
}

/// The encoder stays as it is: padding and other utterances change nothing in it.
config::FinetuneConfig config_with(LossMean mean) {
  config::FinetuneConfig config;
  config.loss.mean = mean;
  config.model.frozen = config::FrozenPart::kEncoder;
  config.model.cached_views = 0;
  config.model.encoder = {.dim = 16, .heads = 2, .ffn_dim = 16, .blocks = 1, .dropout = 0};
  config.model.video_frontend.widths = {4, 4, 8, 8};
  config.model.decoder = {.dim = 8, .heads = 2, .ffn_dim = 16, .blocks = 1, .dropout = 0};
  return config;
}

data::Batch batch_of(const Indices& utterances, const Indices& sizes) {
  const auto count = static_cast<std::int64_t>(utterances.size());
  data::Batch batch;
  for (const auto i : utterances) {
    batch.ids.push_back(std::to_string(i));
    batch.num_frames_of.push_back(sizes.at(static_cast<std::size_t>(i)));
    batch.num_labels_of.push_back(1);
  }
  const auto longest = std::ranges::max(batch.num_frames_of);
  batch.video = torch::zeros({count, longest, kSide, kSide}, torch::kUInt8);
  batch.labels = torch::empty({count, 1}, torch::kInt64);
  batch.lengths = torch::tensor(batch.num_frames_of);
  for (std::int64_t b = 0; b < count; ++b) {
    const auto i = utterances[static_cast<std::size_t>(b)];
    batch.video[b].slice(0, 0, batch.num_frames_of[static_cast<std::size_t>(b)]).fill_(40 + i % 90);
    batch.labels[b].fill_(unit_of(i));
  }
  return batch;
}

/// What utterances weigh in gradients that Updater and FinetuneTask make.
class Step {
 public:
  Step(const Indices& sizes, LossMean mean, distributed::Communicator& ranks)
      : sizes_(sizes),
        config_(config_with(mean)),
        task_(config_, torch::kCPU, units_for(sizes), {}),
        updater_(task_, config_.optimizer, kLength, torch::kCPU, ranks) {}

  /// `batches`: this rank's. `all`: of all ranks.
  Weights weights(const BatchList& batches, const BatchList& all) {
    std::vector<data::Batch> made;
    for (const auto& batch : batches) made.push_back(batch_of(batch, sizes_));
    updater_.gradients(made, {.step = 1});
    const auto together = gradient();
    Weights weights;
    for (const auto& batch : all) {
      for (const auto i : batch) {
        const auto own = gradient_alone(i)[unit_of(i)];
        weights[i] = (together[unit_of(i)].dot(own) / own.dot(own)).item<double>();
      }
    }
    return weights;
  }

 private:
  static constexpr RunLength kLength{.steps = 10, .warmup_steps = 0};

  [[nodiscard]] torch::Tensor embeddings() {
    return task_.recognizer()->named_parameters()["decoder.embed.0.weight"];
  }
  /// Of the embeddings of units, (V, D).
  torch::Tensor gradient() { return embeddings().grad().to(torch::kFloat64).clone(); }
  /// Of an utterance that weighs 1.
  torch::Tensor gradient_alone(std::int64_t utterance) {
    embeddings().mutable_grad().zero_();
    task_.backward(batch_of({utterance}, sizes_), inputs_of({{"utterances", 1}}), false);
    return gradient();
  }

  const Indices& sizes_;
  config::FinetuneConfig config_;
  FinetuneTask task_;
  Updater updater_;
};

/// By hand: a batch's mean is over its utterances, and the step's over its batches; or over all
/// utterances of the step at once. A batch that a step has twice counts twice.
Weights by_hand(const BatchList& step, LossMean mean) {
  const auto batches = static_cast<double>(step.size());
  double utterances = 0;
  for (const auto& batch : step) utterances += static_cast<double>(batch.size());
  Weights weights;
  for (const auto& batch : step) {
    for (const auto i : batch) {
      weights[i] += mean == LossMean::kStep ? 1 / utterances
                                            : 1 / (static_cast<double>(batch.size()) * batches);
    }
  }
  return weights;
}

void expect_same(const Weights& weights, const Weights& expected, const std::string& where) {
  ASSERT_EQ(weights.size(), expected.size()) << where;
  for (const auto& [i, weight] : expected)
    EXPECT_NEAR(weights.at(i), weight, kTolerance * weight) << where << ", utterance " << i;
}

TEST(LossMeanParity, AnUtteranceWeighsWhatItsBatchLeavesIt) {
  torch::set_num_threads(1);
  const auto golden = parity::json("batches.json");
  bool batches_differ = false;
  for (const auto& example : parity::cases(golden)) {
    const auto sizes = example.at("sizes").get<Indices>();
    const auto step = data::pack_by_length(sizes, example.at("budget").get<std::int64_t>());
    ASSERT_EQ(step, example.at("fixed").get<BatchList>());
    for (const auto& batch : step) batches_differ |= batch.size() != step.front().size();
    for (const auto mean : {LossMean::kBatch, LossMean::kStep}) {
      expect_same(Step(sizes, mean, distributed::one_rank()).weights(step, step),
                  by_hand(step, mean),
                  fmt::format("{} of {} batches", config::enum_name(mean), step.size()));
    }
  }
  EXPECT_TRUE(batches_differ) << "with batches of one size both means are the same";
}

TEST(LossMeanParity, RanksHaveTheMeanOfTheirMeans) {
  torch::set_num_threads(1);
  const auto golden = parity::json("batches.json");
  std::size_t steps = 0;
  for (const auto& example : parity::cases(golden)) {
    const auto sizes = example.at("sizes").get<Indices>();
    for (const auto& epoch : example.at("ranks")) {
      const auto per_rank = epoch.at("per_rank").get<std::vector<BatchList>>();
      for (std::size_t k = 0; k < per_rank.front().size(); ++k, ++steps) {
        BatchList all;
        for (const auto& own : per_rank) all.push_back(own.at(k));
        for (const auto mean : {LossMean::kBatch, LossMean::kStep}) {
          RanksInThreads(std::ssize(per_rank)).run([&](distributed::Communicator& ranks) {
            const auto& own = per_rank[static_cast<std::size_t>(ranks.rank())];
            expect_same(Step(sizes, mean, ranks).weights({own[k]}, all), by_hand(all, mean),
                        fmt::format("{}, rank {} of {}", config::enum_name(mean), ranks.rank(),
                                    ranks.size()));
          });
        }
      }
    }
  }
  EXPECT_GT(steps, 0U);
}

}  // namespace
}  // namespace raven::train
