#include "raven/models/momentum_teacher.h"

#include <gtest/gtest.h>

#include <limits>

#include "models/small_models.h"
#include "raven/core/error.h"
#include "raven/nn/state_dict.h"

namespace raven::models {
namespace {

torch::Tensor number(double value) { return torch::tensor(value, torch::kFloat64); }

struct Pair {
  Encoder student, teacher;
};

Pair make_pair(double dropout = 0, double drop_path = 0) {
  auto model = small_model();
  model.encoder.dropout = dropout;
  model.encoder.drop_path = drop_path;
  const auto make = [&] { return Encoder(Modality::kAudio, model.encoder, model.audio_frontend); };
  Pair pair{make(), make()};
  start_as_copy(*pair.teacher, *pair.student);
  return pair;
}

TEST(MomentumTeacher, StartsEqualAndWithoutGradients) {
  const auto pair = make_pair();
  const auto student = nn::state_dict(*pair.student), teacher = nn::state_dict(*pair.teacher);
  for (std::size_t i = 0; i < student.size(); ++i) {
    EXPECT_TRUE(torch::equal(student[i].second, teacher[i].second)) << student[i].first;
    EXPECT_FALSE(teacher[i].second.requires_grad());
  }
}

TEST(MomentumTeacher, FollowsParametersExactlyAndKeepsItsOwnStatistics) {
  torch::manual_seed(1);
  auto pair = make_pair();
  torch::NoGradGuard no_grad;
  for (auto& [name, tensor] : nn::state_dict(*pair.student)) {
    if (tensor.is_floating_point()) tensor.add_(torch::rand_like(tensor));
  }
  std::vector<torch::Tensor> expected;
  for (const auto& item : pair.teacher->named_parameters()) {
    const auto student = pair.student->named_parameters()[item.key()].to(torch::kDouble);
    expected.push_back(0.75 * item.value().to(torch::kDouble) + 0.25 * student);
  }
  const auto buffers = pair.teacher->named_buffers();
  std::vector<torch::Tensor> before;
  for (const auto& item : buffers) before.push_back(item.value().clone());
  follow(*pair.teacher, *pair.student, number(0.75));
  std::size_t i = 0;
  for (const auto& item : pair.teacher->named_parameters()) {
    EXPECT_TRUE(torch::allclose(item.value().to(torch::kDouble), expected[i++], 1e-6, 1e-7))
        << item.key();
  }
  for (i = 0; i < before.size(); ++i)
    EXPECT_TRUE(torch::equal(pair.teacher->buffers()[i], before[i]));
  follow(*pair.teacher, *pair.student, number(0));
  for (const auto& item : pair.teacher->named_parameters()) {
    EXPECT_TRUE(torch::equal(item.value(), pair.student->named_parameters()[item.key()]));
  }
}

TEST(MomentumTeacher, StandsStillAfterABadStep) {
  auto pair = make_pair();
  torch::NoGradGuard no_grad;
  for (auto& tensor : pair.student->parameters()) tensor.add_(1);
  for (auto& [name, tensor] : nn::state_dict(*pair.student)) {
    if (name.ends_with("running_mean")) tensor.fill_(std::numeric_limits<float>::quiet_NaN());
  }
  const auto differs = [&] {
    std::int64_t differing = 0;
    const auto fresh = make_pair();  // other weights: only statistics compare
    for (const auto& item : pair.teacher->named_buffers())
      differing += torch::equal(item.value(), fresh.teacher->named_buffers()[item.key()]) ? 0 : 1;
    return differing;
  };
  const auto weight = pair.teacher->parameters()[0].clone();
  follow(*pair.teacher, *pair.student, number(0.5), torch::ones({}));
  take_statistics(*pair.teacher, *pair.student, torch::ones({}));
  EXPECT_TRUE(torch::equal(pair.teacher->parameters()[0], weight));
  EXPECT_EQ(differs(), 0);
  follow(*pair.teacher, *pair.student, number(0.5), torch::zeros({}));
  take_statistics(*pair.teacher, *pair.student, torch::zeros({}));
  EXPECT_FALSE(torch::equal(pair.teacher->parameters()[0], weight));
  EXPECT_GT(differs(), 0);
}

TEST(MomentumTeacher, StatisticsFollowAsAnAverage) {
  auto pair = make_pair();
  torch::NoGradGuard no_grad;
  const auto set = [](Encoder& encoder, double mean, double variance, std::int64_t batches) {
    for (auto& [name, tensor] : nn::state_dict(*encoder)) {
      if (name.ends_with("running_mean")) tensor.fill_(mean);
      if (name.ends_with("running_var")) tensor.fill_(variance);
      if (name.ends_with("num_batches_tracked")) tensor.fill_(batches);
    }
  };
  const auto expect = [&](double mean, double variance, std::int64_t batches) {
    for (auto& [name, tensor] : nn::state_dict(*pair.teacher)) {
      if (name.ends_with("running_mean")) EXPECT_TRUE((tensor == mean).all().item<bool>()) << name;
      if (name.ends_with("running_var"))
        EXPECT_TRUE((tensor == variance).all().item<bool>()) << name;
      if (name.ends_with("tracked")) EXPECT_EQ(tensor.item<std::int64_t>(), batches) << name;
    }
  };
  const auto weight = pair.teacher->parameters()[0].clone();
  for (auto& tensor : pair.student->parameters()) tensor.add_(1);
  set(pair.teacher, 1, 4, 2);
  set(pair.student, 5, 8, 3);
  follow_statistics(*pair.teacher, *pair.student, number(0.75));
  expect(0.75 * 1 + 0.25 * 5, 0.75 * 4 + 0.25 * 8, 3);
  EXPECT_TRUE(torch::equal(pair.teacher->parameters()[0], weight)) << "weights move elsewhere";
  set(pair.student, std::numeric_limits<float>::quiet_NaN(), 1, 4);
  follow_statistics(*pair.teacher, *pair.student, number(0.75), torch::ones({}));
  expect(2, 5, 3);
  set(pair.student, 4, 3, 5);
  follow_statistics(*pair.teacher, *pair.student, number(0.5), torch::zeros({}));
  expect(3, 4, 5);
}

TEST(MomentumTeacher, RefusesAStudentOfAnotherShape) {
  auto model = small_model();
  Encoder audio(Modality::kAudio, model.encoder, model.audio_frontend);
  Encoder video(Modality::kVideo, model.encoder, model.video_frontend);
  EXPECT_THROW(start_as_copy(*video, *audio), InternalError);
  EXPECT_THROW(follow(*video, *audio, number(0.9)), InternalError);
}

/// Whether two passes over the same input differ: something random is on.
bool is_random(const config::TeacherConfig& options, double dropout, double drop_path) {
  torch::manual_seed(2);
  torch::NoGradGuard no_grad;
  auto pair = make_pair(dropout, drop_path);
  pair.teacher->train();
  set_teacher_mode(*pair.teacher, options);
  const auto x = torch::randn({3, 640 * 4, 1});
  return !torch::equal(pair.teacher(x), pair.teacher(x));
}

TEST(MomentumTeacher, DropsNothingUnlessAskedTo) {
  config::TeacherConfig options;
  EXPECT_FALSE(is_random(options, 0.5, 0.5));
  options.dropout = true;
  EXPECT_TRUE(is_random(options, 0.5, 0));
  EXPECT_FALSE(is_random(options, 0, 0.5));
  options.dropout = false, options.drop_path = true;
  EXPECT_TRUE(is_random(options, 0, 0.5));
}

TEST(MomentumTeacher, TakesBatchStatisticsUnlessAskedNotTo) {
  torch::NoGradGuard no_grad;
  using enum config::BatchNormMode;
  for (const auto mode : {kTrain, kEval, kEma}) {
    auto pair = make_pair();
    config::TeacherConfig options;
    options.batch_norm = mode;
    pair.teacher->train();
    set_teacher_mode(*pair.teacher, options);
    const auto mean = pair.teacher->named_buffers()["frontend.trunk.bn1.running_mean"].clone();
    pair.teacher(torch::randn({2, 640 * 2, 1}));
    const auto after = pair.teacher->named_buffers()["frontend.trunk.bn1.running_mean"];
    EXPECT_EQ(torch::equal(mean, after), mode != kTrain);
  }
}

}  // namespace
}  // namespace raven::models
