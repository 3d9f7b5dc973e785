#include "raven/models/recognizer.h"

#include <gtest/gtest.h>

#include "models/small_models.h"
#include "raven/core/error.h"
#include "raven/nn/state_dict.h"
#include "support/autocast.h"
#include "support/tolerance.h"

namespace raven::models {
namespace {

constexpr std::int64_t kUnits = 6;

RecognizerOptions small_options() {
  const auto model = small_model();
  return {.modality = Modality::kVideo,
          .encoder = model.encoder,
          .frontend = model.video_frontend,
          .decoder = {.dim = 4, .heads = 2, .ffn_dim = 6, .blocks = 2, .dropout = 0},
          .units = kUnits};
}

Recognizer small_recognizer() {
  Recognizer recognizer(small_options());
  recognizer->eval();
  return recognizer;
}

torch::Tensor labels_of(const std::vector<std::vector<std::int64_t>>& rows, std::int64_t length) {
  auto labels = torch::full({static_cast<std::int64_t>(rows.size()), length}, kNoLabel);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].empty()) continue;
    labels[static_cast<std::int64_t>(i)].slice(0, 0, static_cast<std::int64_t>(rows[i].size())) =
        torch::tensor(rows[i]);
  }
  return labels;
}

TEST(Recognizer, HasTheSizeOfThePublishedOnes) {
  const auto sizes = [](const config::DecoderConfig& decoder) {
    const Recognizer recognizer(RecognizerOptions{
        .modality = Modality::kVideo, .encoder = {}, .frontend = {}, .decoder = decoder});
    std::int64_t numbers = 0;
    for (const auto& parameter : recognizer->parameters()) numbers += parameter.numel();
    return std::pair(numbers, nn::state_dict(*recognizer).size());
  };
  EXPECT_EQ(sizes({.dim = 512, .heads = 8, .ffn_dim = 2048, .blocks = 6}),
            (std::pair<std::int64_t, std::size_t>{79'283'954, 575}));
  EXPECT_EQ(sizes({.dim = 256, .heads = 4, .ffn_dim = 2048, .blocks = 6}),
            (std::pair<std::int64_t, std::size_t>{63'126'002, 577}));
}

TEST(Recognizer, ReadsTheLabelsBehindAStartAndSaysThemBeforeAnEnd) {
  const auto sentence = teacher_forcing(labels_of({{3, 1, 2}, {4}, {}}, 3), 5);
  EXPECT_TRUE(
      torch::equal(sentence.read, torch::tensor({{5, 3, 1, 2}, {5, 4, 5, 5}, {5, 5, 5, 5}})));
  EXPECT_TRUE(
      torch::equal(sentence.said, torch::tensor({{3, 1, 2, 5}, {4, 5, -1, -1}, {5, -1, -1, -1}})));
}

TEST(LabelSmoothedLoss, GivesThePublishedNumber) {
  const auto logits = torch::tensor(
      {{2.0, 0.5, -1.0, 0.0}, {0.1, 0.2, 0.3, 0.4}, {9.0, 9.0, 9.0, 0.0}}, torch::kFloat64);
  EXPECT_NEAR(label_smoothed_loss(logits, torch::tensor({0, 3, -1})).item<double>(), 0.951663,
              1e-6);
}

TEST(LabelSmoothedLoss, IsZeroWhereThePredictionIsTheSmoothedTarget) {
  const auto logits = torch::tensor({0.9, 0.1 / 3, 0.1 / 3, 0.1 / 3}, torch::kFloat64).log();
  EXPECT_NEAR(label_smoothed_loss(logits.unsqueeze(0), torch::tensor({0})).item<double>(), 0,
              1e-12);
  EXPECT_NEAR(label_smoothed_loss(logits.unsqueeze(0), torch::tensor({0}), 0).item<double>(),
              -std::log(0.9), 1e-12);
}

TEST(LabelSmoothedLoss, HasTheGradientsOfFiniteDifferences) {
  torch::manual_seed(1);
  auto logits = torch::randn({2, 3, 5}, torch::kFloat64).requires_grad_();
  const auto targets = torch::tensor({{1, 4, -1}, {0, 2, 2}});
  label_smoothed_loss(logits, targets).backward();
  torch::NoGradGuard no_grad;
  auto values = logits.view(-1);
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    const double kept = values[i].item<double>(), step = 1e-5;
    values[i] = kept + step;
    const double above = label_smoothed_loss(logits, targets).item<double>();
    values[i] = kept - step;
    const double below = label_smoothed_loss(logits, targets).item<double>();
    values[i] = kept;
    EXPECT_NEAR(logits.grad().view(-1)[i].item<double>(), (above - below) / (2 * step), 1e-8) << i;
  }
}

// V = 3, smoothing 0.1: q is 0.9 for the target, 0.05 for each other unit, and
// sum q ln q = 0.9 ln 0.9 + 0.1 ln 0.05 = -0.394398. Where p is (1/2, 1/4, 1/4), KL(q || p) of
// target 0 is -0.394398 + 0.9 ln 2 + 0.1 ln 4 = 0.368064, of target 1
// -0.394398 + 0.05 ln 2 + 0.95 ln 4 = 0.957240.
TEST(LengthNormalisedLoss, IsEachUtterancesMeanByHand) {
  const auto p = torch::tensor({0.5, 0.25, 0.25}, torch::kFloat64).log();
  const auto logits = p.expand({3, 4, 3});
  const auto targets = torch::tensor({{0, 1, 1, -1},       // mean of three
                                      {0, -1, -1, -1},     // of one
                                      {-1, -1, -1, -1}});  // of none
  const double of_0 = 0.368064, of_1 = 0.957240;
  EXPECT_NEAR(length_normalised_loss(logits, targets, 0.1).item<double>(),
              (of_0 + 2 * of_1) / 3 + of_0, 2e-6);
  EXPECT_NEAR(label_smoothed_loss(logits, targets, 0.1).item<double>(), 2 * of_0 + 2 * of_1, 2e-6);
}

TEST(LengthNormalisedLoss, HasTheGradientOfTheMean) {
  torch::manual_seed(1);
  auto logits = torch::randn({2, 3, 5}, torch::kFloat64).requires_grad_();
  const auto targets = torch::tensor({{1, 4, 2}, {3, -1, -1}});
  label_smoothed_loss(logits, targets).backward();
  const auto of_sum = logits.grad().clone();
  logits.mutable_grad().zero_();
  length_normalised_loss(logits, targets).backward();
  EXPECT_TRUE(torch::allclose(logits.grad()[0], of_sum[0] / 3));
  EXPECT_TRUE(torch::allclose(logits.grad()[1], of_sum[1]));
}

/// Probability that frames spell `labels`, over every path of units.
double by_all_paths(const torch::Tensor& probs, const std::vector<std::int64_t>& labels) {
  const auto frames = probs.size(0), units = probs.size(1);
  const auto paths = static_cast<std::int64_t>(std::llround(std::pow(units, frames)));
  double sum = 0;
  for (std::int64_t path = 0; path < paths; ++path) {
    double p = 1;
    std::vector<std::int64_t> spelled;
    std::int64_t rest = path, last = kBlank;
    for (std::int64_t t = 0; t < frames; ++t, rest /= units) {
      const auto unit = rest % units;
      p *= probs[t][unit].item<double>();
      if (unit != kBlank && unit != last) spelled.push_back(unit);
      last = unit;
    }
    if (spelled == labels) sum += p;
  }
  return sum;
}

TEST(CtcLoss, SumsOverAllPaths) {
  torch::manual_seed(2);
  const auto log_probs = torch::randn({3, 4, 3}, torch::kFloat64).log_softmax(-1);
  const auto valid = torch::arange(4).unsqueeze(0) < torch::tensor({4, 3, 2}).unsqueeze(1);
  const std::vector<std::vector<std::int64_t>> rows = {{1, 1}, {2, 1}, {}};
  double expected = 0;
  for (std::size_t b = 0; b < rows.size(); ++b) {
    const auto row = static_cast<std::int64_t>(b);
    expected -= std::log(by_all_paths(log_probs[row].slice(0, 0, 4 - row).exp(), rows[b]));
  }
  EXPECT_NEAR(ctc_loss(log_probs, valid, {.units = labels_of(rows, 2)}).item<double>(), expected,
              1e-9);
}

TEST(CtcLoss, LeavesOutLabelsThatDoNotFitTheirFrames) {
  torch::manual_seed(3);
  auto logits = torch::randn({2, 4, 5}).requires_grad_();
  const auto valid = torch::arange(4).unsqueeze(0) < torch::tensor({4, 3}).unsqueeze(1);
  // Three equal labels need two blanks between them: five frames.
  const Labels labels{.units = labels_of({{1, 2}, {3, 3, 3}}, 3)};
  const auto loss = ctc_loss(logits.log_softmax(-1), valid, labels);
  loss.backward();
  EXPECT_NEAR(loss.item<double>(),
              ctc_loss(logits.detach().log_softmax(-1).narrow(0, 0, 1), valid.narrow(0, 0, 1),
                       {.units = labels.units.narrow(0, 0, 1)})
                  .item<double>(),
              1e-5);
  EXPECT_GT(logits.grad()[0].abs().max().item<double>(), 0);
  EXPECT_TRUE(torch::equal(logits.grad()[1], torch::zeros({4, 5})));
}

TEST(CtcLoss, TakesABatchWithoutAnyLabel) {
  const auto log_probs = torch::randn({2, 3, 4}).log_softmax(-1);
  const auto loss = ctc_loss(log_probs, {}, {.units = torch::empty({2, 0}, torch::kInt64)});
  EXPECT_NEAR(loss.item<double>(), -log_probs.select(2, kBlank).sum().item<double>(), 1e-5);
}

TEST(Recognizer, SumsItsLossesOverUtterancesWhateverThePadding) {
  torch::manual_seed(4);
  torch::NoGradGuard no_grad;
  auto recognizer = small_recognizer();
  const auto encoded = torch::randn({2, 7, 8});
  const auto valid = torch::arange(7).unsqueeze(0) < torch::tensor({7, 5}).unsqueeze(1);
  const auto rows = std::vector<std::vector<std::int64_t>>{{1, 2, 2}, {4, 3}};
  const auto together = recognizer->losses(encoded, valid, {.units = labels_of(rows, 5)});
  EXPECT_EQ(together.utterances, 2);
  EXPECT_EQ(together.count.item<std::int64_t>(), 3 + 2 + 2);
  double ctc = 0, attention = 0;
  std::int64_t correct = 0;
  for (std::int64_t b = 0; b < 2; ++b) {
    const auto frames = 7 - 2 * b;
    const auto& row = rows[static_cast<std::size_t>(b)];
    const auto alone =
        recognizer->losses(encoded[b].slice(0, 0, frames).unsqueeze(0), {},
                           {.units = labels_of({row}, static_cast<std::int64_t>(row.size()))});
    ctc += alone.ctc.item<double>();
    attention += alone.attention.item<double>();
    correct += alone.correct.item<std::int64_t>();
  }
  EXPECT_NEAR(together.ctc.item<double>(), ctc, 1e-4);
  EXPECT_NEAR(together.attention.item<double>(), attention, 1e-4);
  EXPECT_EQ(together.correct.item<std::int64_t>(), correct);
  EXPECT_NEAR(together.total(0.1).item<double>(), 0.1 * ctc + 0.9 * attention, 1e-4);
}

TEST(Recognizer, MayTakeTheMeanOfAnUtterancesUnits) {
  torch::manual_seed(8);
  torch::NoGradGuard no_grad;
  auto recognizer = small_recognizer();
  const auto encoded = torch::randn({2, 7, 8});
  const Labels labels{.units = labels_of({{1, 2, 2}, {4}}, 3)};
  const auto mean = recognizer->losses(encoded, {}, labels, {.mean_of_utterance = true});
  const auto sum = recognizer->losses(encoded, {}, labels);
  const auto alone = [&](std::int64_t b) {
    const Labels own{.units = labels.units.slice(0, b, b + 1)};
    return recognizer->losses(encoded.slice(0, b, b + 1), {}, own).attention.item<double>();
  };
  EXPECT_NEAR(mean.attention.item<double>(), alone(0) / 4 + alone(1) / 2, 1e-5);
  EXPECT_EQ(mean.ctc.item<double>(), sum.ctc.item<double>());
  EXPECT_EQ(mean.count.item<std::int64_t>(), sum.count.item<std::int64_t>());
}

TEST(Recognizer, CountsWhatTheDecoderRanksFirst) {
  torch::NoGradGuard no_grad;
  auto recognizer = small_recognizer();
  auto parameters = recognizer->decoder->named_parameters();
  parameters["output_layer.weight"].zero_();
  parameters["output_layer.bias"].zero_();
  parameters["output_layer.bias"][recognizer->end_unit()] = 1;  // always the end
  const auto losses =
      recognizer->losses(torch::randn({2, 7, 8}), {}, {.units = labels_of({{1, 2}, {3}}, 2)});
  EXPECT_EQ(losses.correct.item<std::int64_t>(), 2);
  EXPECT_EQ(losses.count.item<std::int64_t>(), 5);
}

TEST(Recognizer, TakesFeaturesThatWereKept) {
  torch::manual_seed(5);
  torch::NoGradGuard no_grad;
  auto recognizer = small_recognizer();
  const auto input = small_input();
  const auto features = recognizer->encoder->frontend(input.video);
  EXPECT_TRUE(torch::equal(recognizer->encoder->from_features(features, input.valid),
                           recognizer->encode(input.video, input.valid)));
}

TEST(Recognizer, DropsInputsOfTheCtcLayerInTraining) {
  torch::manual_seed(6);
  auto options = small_options();
  options.decoder.dropout = 0.5;
  Recognizer recognizer(options);
  const auto encoded = torch::randn({1, 7, 8});
  recognizer->train();
  EXPECT_FALSE(torch::equal(recognizer->ctc(encoded), recognizer->ctc(encoded)));
  recognizer->eval();
  EXPECT_TRUE(torch::equal(recognizer->ctc(encoded), recognizer->ctc(encoded)));
}

TEST(Recognizer, ComputesItsLossesInFloatUnderReducedPrecision) {
  torch::manual_seed(7);
  auto recognizer = small_recognizer();
  const auto encoded = torch::randn({2, 7, 8});
  const Labels labels{.units = labels_of({{1, 2}, {3}}, 2)};
  const auto exact = recognizer->losses(encoded, {}, labels);
  RecognizerLosses losses;
  {
    const Bf16Scope bf16;
    losses = recognizer->losses(encoded, {}, labels);
  }
  losses.total(0.1).backward();
  EXPECT_EQ(losses.ctc.scalar_type(), torch::kFloat32);
  EXPECT_EQ(losses.attention.scalar_type(), torch::kFloat32);
  EXPECT_NEAR(losses.ctc.item<double>(), exact.ctc.item<double>(), 0.2);
  EXPECT_NEAR(losses.attention.item<double>(), exact.attention.item<double>(), 0.2);
}

TEST(Recognizer, RefusesLabelsOfOtherUtterances) {
  EXPECT_THROW(
      small_recognizer()->losses(torch::randn({2, 7, 8}), {}, {.units = labels_of({{1}}, 1)}),
      InternalError);
}

}  // namespace
}  // namespace raven::models
