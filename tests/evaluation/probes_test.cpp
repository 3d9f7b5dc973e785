#include "raven/evaluation/probes.h"

#include <gtest/gtest.h>

namespace raven::evaluation {
namespace {

LabelledFeatures labelled(const torch::Tensor& features, const torch::Tensor& labels) {
  return {.features = features, .labels = labels.to(torch::kInt64)};
}

TEST(Probes, ReadALabelThatIsLinear) {
  torch::manual_seed(1);
  const auto make = [] {
    const auto x = torch::randn({300, 6});
    return labelled(x, x.mm(torch::eye(6).narrow(1, 0, 3)).argmax(1));
  };
  const auto fit = make(), score = make();
  EXPECT_GT(linear_accuracy(fit, score, 3), 0.9);
  EXPECT_GT(nearest_accuracy(fit, score, 3, 5), 0.6);
  EXPECT_NEAR(majority_accuracy(fit, score, 3), 1.0 / 3, 0.1);
  const auto noise = labelled(torch::randn({300, 6}), score.labels);
  EXPECT_NEAR(linear_accuracy(fit, noise, 3), 1.0 / 3, 0.12);
}

TEST(Probes, NeighboursReadWhatNoLinearMapDoes) {
  // Opposite quarters of a plane have the same label.
  torch::manual_seed(2);
  const auto make = [] {
    const auto x = torch::randn({400, 2});
    return labelled(x, x.prod(1).gt(0));
  };
  const auto fit = make(), score = make();
  EXPECT_GT(nearest_accuracy(fit, score, 2, 1), 0.95);
  EXPECT_NEAR(linear_accuracy(fit, score, 2), 0.5, 0.1);
}

TEST(Probes, NeighboursVote) {
  // On a circle the query lies at 0 degrees, two of label 1 at 20 and -20, one of label 0 at 5.
  const auto at = [](std::vector<double> degrees) {
    const auto radians = torch::tensor(degrees) * 0.017453292519943295;
    return torch::stack({radians.cos(), radians.sin()}, 1).to(torch::kFloat32);
  };
  const auto fit =
      labelled(at({5, 20, -20, 180, 90, -90, 175, 185}), torch::tensor({0, 1, 1, 0, 0, 0, 0, 0}));
  const auto one = labelled(at({0}), torch::tensor({1}));
  EXPECT_EQ(nearest_accuracy(fit, one, 2, 1), 0);
  EXPECT_EQ(nearest_accuracy(fit, one, 2, 3), 1);
  EXPECT_EQ(nearest_accuracy(fit, one, 2, 2), 0) << "a vote each: the nearer one counts";
  EXPECT_EQ(nearest_accuracy(fit, one, 2, 100), 0) << "no more than there are";
}

TEST(Probes, ByChanceIsTheMostFrequentLabelOfTheFitted) {
  const auto fit = labelled(torch::zeros({3, 1}), torch::tensor({0, 1, 1}));
  const auto score = labelled(torch::zeros({4, 1}), torch::tensor({0, 0, 0, 1}));
  EXPECT_EQ(majority_accuracy(fit, score, 2), 0.25);
}

TEST(Retrieval, FindsWhatBelongsTogether) {
  torch::manual_seed(3);
  const auto clips = torch::randn({20, 4, 8});
  const auto found = retrieve(clips + 0.01 * torch::randn_like(clips), clips);
  EXPECT_EQ(found.recall_1, 1);
  EXPECT_EQ(found.recall_10, 1);
  EXPECT_EQ(found.median_rank, 1);
  // Clip i finds clip i + 1 first, and its own second.
  const auto next = clips + 0.5 * clips.roll(-1, 0);
  const auto second = retrieve(0.5 * clips + clips.roll(-1, 0), clips);
  EXPECT_EQ(second.recall_1, 0);
  EXPECT_EQ(second.recall_10, 1);
  EXPECT_EQ(second.median_rank, 2);
  EXPECT_EQ(retrieve(next, clips).recall_1, 1);
}

TEST(Retrieval, FeaturesThatAreAllAlikeFindNothing) {
  const auto alike = torch::ones({21, 4, 8});
  const auto found = retrieve(alike, alike);
  EXPECT_EQ(found.recall_1, 0);
  EXPECT_EQ(found.recall_10, 0);
  EXPECT_EQ(found.median_rank, 11);
}

}  // namespace
}  // namespace raven::evaluation
