#include "raven/models/raven.h"

#include <gtest/gtest.h>

#include <cmath>

#include "models/small_models.h"
#include "raven/nn/state_dict.h"
#include "support/autocast.h"
#include "support/tolerance.h"

namespace raven::models {
namespace {

std::map<std::string, double> losses(Raven& model, const PretrainInput& input) {
  torch::NoGradGuard no_grad;
  const auto targets = model->targets(input);
  std::map<std::string, double> result;
  for (const auto& terms : {model->terms(config::Modality::kVideo, input, targets),
                            model->terms(config::Modality::kAudio, input, targets)}) {
    for (const auto& term : terms) {
      result[term.name] = (term.sum / model->frames_of(term.name, input)).item<double>();
      EXPECT_EQ(term.where.sum().item<std::int64_t>(),
                model->frames_of(term.name, input).item<std::int64_t>());
    }
  }
  return result;
}

Raven make(const config::LossConfig& loss = {}, const config::TeacherConfig& teacher = {}) {
  torch::manual_seed(1);
  return Raven(small_model(), loss, teacher);
}

TEST(Raven, HasThePartsThatItsLossesNeed) {
  const auto names = [](Raven model) {
    std::vector<std::string> result;
    for (const auto& child : model->named_children()) result.push_back(child.key());
    return result;
  };
  EXPECT_EQ(names(make()), (std::vector<std::string>{
                               "student_video", "student_audio", "teacher_video", "teacher_audio",
                               "predictor_v2a", "predictor_a2a", "predictor_a2v"}));
  config::LossConfig audio_only;
  audio_only.weight["v2a"] = audio_only.weight["a2v"] = 0;
  EXPECT_EQ(names(make(audio_only)),
            (std::vector<std::string>{"student_audio", "teacher_audio", "predictor_a2a"}));
}

TEST(Raven, TrainsStudentsAndPredictorsInTwoSets) {
  auto model = make();
  const auto count = [](const torch::nn::Module& module) { return module.parameters().size(); };
  EXPECT_EQ(model->parameters_of(config::Modality::kVideo).size(),
            count(*model->student_video) + count(*model->predictors["v2a"]));
  EXPECT_EQ(model->parameters_of(config::Modality::kAudio).size(),
            count(*model->student_audio) + count(*model->predictors["a2a"]) +
                count(*model->predictors["a2v"]));
  const auto input = small_input();
  const auto targets = model->targets(input);
  EXPECT_FALSE(targets.video.requires_grad());
  auto terms = model->terms(config::Modality::kVideo, input, targets);
  terms[0].sum.backward();
  for (const auto& parameter : model->parameters_of(config::Modality::kVideo))
    EXPECT_TRUE(parameter.grad().defined());
  for (const auto& parameter : model->parameters_of(config::Modality::kAudio))
    EXPECT_FALSE(parameter.grad().defined());
}

TEST(Raven, LooksAtMaskedFramesOnlyWithinAModality) {
  auto model = make();
  model->eval();
  const auto input = small_input();
  auto other = input;
  torch::NoGradGuard no_grad;
  auto targets = model->targets(input);
  auto changed = targets;
  changed.audio = targets.audio.clone();
  changed.audio.index_put_({input.masked_audio.logical_not()}, 7.0);
  const auto before = model->terms(config::Modality::kAudio, input, targets),
             after = model->terms(config::Modality::kAudio, input, changed);
  EXPECT_EQ(before[0].name, "a2a");
  EXPECT_TRUE(torch::equal(before[0].sum, after[0].sum));
  EXPECT_FALSE(torch::equal(model->terms(config::Modality::kVideo, input, targets)[0].sum,
                            model->terms(config::Modality::kVideo, input, changed)[0].sum));
}

TEST(Raven, CountsTheFramesThatItsOptionsName) {
  const auto input = small_input();  // 12 real frames, 4 of them masked for video and 6 for audio
  const auto count = [&](const config::LossConfig& loss, const std::string& term) {
    return make(loss)->frames_of(term, input).item<std::int64_t>();
  };
  config::LossConfig loss;
  loss.weight["v2v"] = 1;
  EXPECT_EQ(count(loss, "v2v"), 4);
  EXPECT_EQ(count(loss, "v2a"), 12);
  EXPECT_EQ(count(loss, "a2a"), 6);
  EXPECT_EQ(count(loss, "a2v"), 12);
  loss.cross_masked_only = true, loss.within_masked_only = false;
  EXPECT_EQ(count(loss, "v2v"), 12);
  EXPECT_EQ(count(loss, "v2a"), 4);
  EXPECT_EQ(count(loss, "a2a"), 12);
  EXPECT_EQ(count(loss, "a2v"), 6);
  auto model = make(loss);
  EXPECT_EQ(losses(model, input).size(), 4U);
}

TEST(Raven, HidesMaskedInputFromTheStudents) {
  auto model = make();
  model->eval();
  const auto input = small_input();
  auto other = input;
  other.video = torch::where(input.masked_video.unsqueeze(-1).unsqueeze(-1), 3.0, input.video);
  other.audio = input.audio.clone();
  other.audio.slice(1, 2 * 640, 5 * 640) = 3.0;
  torch::NoGradGuard no_grad;
  const auto targets = model->targets(input);
  EXPECT_TRUE(torch::equal(model->terms(config::Modality::kVideo, input, targets)[0].sum,
                           model->terms(config::Modality::kVideo, other, targets)[0].sum));
  EXPECT_TRUE(torch::equal(model->terms(config::Modality::kAudio, input, targets)[0].sum,
                           model->terms(config::Modality::kAudio, other, targets)[0].sum));
  EXPECT_FALSE(torch::equal(model->targets(other).video, targets.video));
}

TEST(Raven, FixedTeachersStandStill) {
  config::TeacherConfig teacher;
  teacher.audio_weights = "given";  // who reads the file is not this class' business
  auto model = make({}, teacher);
  const auto state = [](const Encoder& encoder) {
    nn::StateDict copy;
    for (const auto& [name, tensor] : nn::state_dict(*encoder))
      copy.emplace_back(name, tensor.detach().clone());
    return copy;
  };
  const auto same = [](const nn::StateDict& a, const nn::StateDict& b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (!torch::equal(a[i].second, b[i].second)) return false;
    }
    return true;
  };
  const auto audio = state(model->teacher_audio), video = state(model->teacher_video);
  const auto input = small_input();
  const auto first = model->targets(input), second = model->targets(input);
  EXPECT_TRUE(same(state(model->teacher_audio), audio));
  EXPECT_FALSE(same(state(model->teacher_video), video));  // its running statistics move
  EXPECT_TRUE(torch::equal(first.audio, second.audio));
  auto other = input;
  other.audio = torch::cat({input.audio.narrow(0, 0, 1), 3 * input.audio.narrow(0, 1, 1)});
  EXPECT_FALSE(torch::allclose(model->targets(other).audio[0], first.audio[0]))
      << "targets use the batch's statistics";
}

TEST(Raven, PerfectPredictionHasALossOfMinusOne) {
  auto model = make();
  const auto input = small_input();
  torch::NoGradGuard no_grad;
  auto targets = model->targets(input);
  // What each predictor answers, at another length: only directions count.
  const auto video = model->terms(config::Modality::kVideo, input, targets),
             audio = model->terms(config::Modality::kAudio, input, targets);
  for (const auto& term : {video.at(0), audio.at(0), audio.at(1)}) {
    auto perfect = targets;
    (term.name.back() == 'v' ? perfect.video : perfect.audio) = 3 * term.prediction;
    model->train();
    for (const auto& again : term.name.front() == 'v'
                                 ? model->terms(config::Modality::kVideo, input, perfect)
                                 : model->terms(config::Modality::kAudio, input, perfect)) {
      if (again.name != term.name) continue;
      const auto frames = model->frames_of(term.name, input).item<double>();
      EXPECT_NEAR(again.sum.item<double>() / frames, -1, 1e-5) << term.name;
      EXPECT_GT(term.sum.item<double>() / frames, -0.9) << term.name;
    }
  }
}

TEST(Raven, TeachersInEvalModeNormaliseWithTheStudentsStatistics) {
  config::TeacherConfig teacher;
  teacher.batch_norm = config::BatchNormMode::kEval;
  auto model = make({}, teacher);
  const auto input = small_input();
  torch::NoGradGuard no_grad;
  const auto statistics = [](const Encoder& encoder) {
    return encoder->named_buffers()["frontend.trunk.bn1.running_var"].clone();
  };
  const auto start = statistics(model->teacher_audio);
  EXPECT_TRUE(torch::equal(start, torch::ones_like(start)));
  for (int step = 0; step < 2; ++step) {
    const auto targets = model->targets(input);
    (void)model->terms(config::Modality::kAudio, input, targets);
    (void)model->terms(config::Modality::kVideo, input, targets);
    model->update_teachers(torch::tensor(0.999, torch::kFloat64));
  }
  EXPECT_FALSE(torch::equal(statistics(model->teacher_audio), start));
  EXPECT_TRUE(torch::equal(statistics(model->teacher_audio), statistics(model->student_audio)));
}

TEST(Raven, NormalisesAveragedTargetsOverTime) {
  config::TeacherConfig teacher;
  teacher.target = config::TargetKind::kAverageInstanceNorm;
  auto model = make({}, teacher);
  const auto targets = model->targets(small_input()).video;
  EXPECT_LE(targets.mean(1).abs().max().item<double>(), 1e-5);
  EXPECT_LE((targets.var(1, false) - 1).abs().max().item<double>(), 1e-2);
  teacher.target = config::TargetKind::kAverage;
  auto plain = make({}, teacher);
  const auto average = plain->targets(small_input()).video;
  EXPECT_EQ(average.sizes(), targets.sizes());
}

torch::Tensor normalised_over_time(const torch::Tensor& x) {
  return (x - x.mean(1, true)) / (x.var(1, false, true) + 1e-5).sqrt();
}

TEST(Raven, TargetsMayBeOfTheLastBlocksAndOfEachBlock) {
  const auto input = small_input();
  const auto target = [&](config::TargetKind kind, std::optional<std::int64_t> blocks) {
    config::TeacherConfig teacher;
    teacher.target = kind, teacher.target_blocks = blocks;
    torch::NoGradGuard no_grad;
    return make({}, teacher)->targets(input).audio;
  };
  using enum config::TargetKind;
  torch::NoGradGuard no_grad;
  auto model = make();
  const auto blocks = model->teacher_audio->all_blocks(input.audio, input.valid).blocks;
  const auto expect = [](const torch::Tensor& found, const torch::Tensor& wanted) {
    EXPECT_LE(tolerance::distance(found, wanted), 1e-4);
  };
  expect(target(kAverage, {}), (blocks[0] + blocks[1]) / 2);
  expect(target(kAverage, 1), blocks[1]);
  expect(target(kAverageInstanceNorm, 1), normalised_over_time(blocks[1]));
  const auto of_each = (normalised_over_time(blocks[0]) + normalised_over_time(blocks[1])) / 2;
  expect(target(kAverageOfInstanceNorms, {}), of_each);
  EXPECT_GT(tolerance::distance(target(kAverageInstanceNorm, {}), of_each), 2e-3);
}

TEST(Raven, ATargetMayBeAnyBlockAndNoneBehindItIsRun) {
  const auto input = small_input();
  config::TeacherConfig teacher;
  teacher.target = config::TargetKind::kAverage;
  teacher.target_block = 1;
  torch::NoGradGuard no_grad;
  auto model = make({}, teacher);
  const auto block = model->teacher_audio->all_blocks(input.audio, input.valid).blocks[0];
  for (auto& item : model->teacher_audio->named_parameters()) {
    if (item.key().starts_with("encoders.1.")) item.value().fill_(std::nan(""));
  }
  EXPECT_LE(tolerance::distance(model->targets(input).audio, block), 1e-4);
  teacher.target = config::TargetKind::kAverageOfInstanceNorms;
  auto normalised = make({}, teacher);
  EXPECT_LE(tolerance::distance(normalised->targets(input).audio, normalised_over_time(block)),
            1e-4);
}

TEST(Raven, AMaskedTeacherSeesWhatItsStudentSees) {
  config::TeacherConfig teacher;
  teacher.input = config::TeacherInput::kMasked;
  auto whole = make(), masked = make({}, teacher);
  const auto input = small_input();
  auto hidden = input;
  hidden.video = input.video.clone(), hidden.audio = input.audio.clone();
  hidden.video.slice(1, 1, 3) = 0;
  hidden.audio.slice(1, 2 * 640, 5 * 640) = 0;
  const auto found = masked->targets(input), expected = whole->targets(hidden);
  EXPECT_TRUE(torch::equal(found.video, expected.video));
  EXPECT_TRUE(torch::equal(found.audio, expected.audio));
  EXPECT_FALSE(torch::equal(found.video, whole->targets(input).video));
}

TEST(Raven, ATeacherMayHaveACropOfItsOwn) {
  auto model = make();
  model->eval();
  torch::NoGradGuard no_grad;
  const auto input = small_input();
  auto moved = input, both = input;
  moved.video = input.video.roll({1}, {3});
  both.teacher_video = moved.video;
  const auto targets = model->targets(both);
  EXPECT_TRUE(torch::equal(targets.video, model->targets(moved).video));
  EXPECT_FALSE(torch::equal(targets.video, model->targets(input).video));
  EXPECT_TRUE(torch::equal(targets.audio, model->targets(input).audio));
  EXPECT_TRUE(torch::equal(model->terms(config::Modality::kVideo, both, targets)[0].features,
                           model->terms(config::Modality::kVideo, input, targets)[0].features));
}

TEST(Raven, OnePredictorMayAnswerForTwoLosses) {
  auto config = small_model();
  config.predictors.of["a2v"].kind = config::PredictorKind::kShared;
  config.predictors.of["a2a"].dropout = 0.5;
  torch::manual_seed(1);
  Raven model(config, config::LossConfig{}, config::TeacherConfig{});
  std::vector<std::string> names;
  for (const auto& child : model->named_children()) names.push_back(child.key());
  EXPECT_EQ(names, (std::vector<std::string>{"student_video", "student_audio", "teacher_video",
                                             "teacher_audio", "predictor_v2a", "predictor_a2a"}));
  EXPECT_EQ(
      model->parameters_of(config::Modality::kAudio).size(),
      model->student_audio->parameters().size() + model->predictors["a2a"]->parameters().size());
  const auto input = small_input();
  const auto targets = model->targets(input);
  const auto terms = model->terms(config::Modality::kAudio, input, targets);
  ASSERT_EQ(terms.size(), 2U);
  EXPECT_TRUE(torch::equal(terms[0].prediction, terms[1].prediction)) << "made once, dropout too";
  EXPECT_TRUE(torch::equal(terms[0].target, targets.audio));
  EXPECT_TRUE(torch::equal(terms[1].target, targets.video));
  const auto bias = model->predictors["a2v"]->named_parameters()["last_linear.bias"];
  const auto gradient = [&](const torch::Tensor& sum) {
    return torch::autograd::grad({sum}, {bias}, {}, /*retain_graph=*/true)[0];
  };
  EXPECT_LE(tolerance::distance(gradient(terms[0].sum + terms[1].sum),
                                gradient(terms[0].sum) + gradient(terms[1].sum)),
            1e-5);
  EXPECT_GT(gradient(terms[1].sum).abs().max().item<double>(), 0);
}

TEST(Raven, EncodersMayDifferInSize) {
  auto config = small_model();
  config.audio_encoder.dim = 12, config.audio_encoder.heads = 3, config.audio_encoder.blocks = 1;
  torch::manual_seed(1);
  Raven model(config, config::LossConfig{}, config::TeacherConfig{});
  model->add_recognition_probes({.dim = 8, .heads = 2, .ffn_dim = 8, .blocks = 1}, 7);
  const auto input = small_input();
  const auto targets = model->targets(input);
  EXPECT_EQ(targets.video.size(-1), 8);
  EXPECT_EQ(targets.audio.size(-1), 12);
  for (const auto modality : config::kModalities) {
    for (const auto& term : model->terms(modality, input, targets)) {
      EXPECT_EQ(term.features.size(-1), modality == config::Modality::kVideo ? 8 : 12);
      EXPECT_EQ(term.prediction.size(-1), term.name.back() == 'v' ? 8 : 12) << term.name;
      EXPECT_TRUE(std::isfinite(term.sum.item<double>()));
    }
  }
  EXPECT_EQ(model->student_audio->named_parameters().contains("encoders.1.norm_mha.weight"), false);
  model->update_teachers(torch::tensor(0.9, torch::kFloat64));
}

TEST(Raven, OtherLossesTellTheCosineBesides) {
  const auto input = small_input();
  const auto cosine_of = [&](config::LossKind kind) {
    config::LossConfig loss;
    loss.kind = kind;
    auto model = make(loss);
    const auto targets = model->targets(input);
    const auto term = model->terms(config::Modality::kVideo, input, targets).at(0);
    EXPECT_FALSE(term.cosine.requires_grad());
    if (kind == config::LossKind::kCosine)
      EXPECT_EQ(term.cosine.item<double>(), -term.sum.item<double>());
    else
      EXPECT_GT(term.sum.item<double>(), 0);
    return term.cosine.item<double>();
  };
  const double expected = cosine_of(config::LossKind::kCosine);
  for (const auto& [kind, name] : config::EnumNames<config::LossKind>::kNames)
    EXPECT_NEAR(cosine_of(kind), expected, 1e-5) << name;
}

TEST(Raven, TeachersMayNormaliseWithAverageStatistics) {
  config::TeacherConfig teacher;
  teacher.batch_norm = config::BatchNormMode::kEma;
  auto model = make({}, teacher);
  const auto input = small_input();
  torch::NoGradGuard no_grad;
  const auto mean = [](const Encoder& encoder) {
    return encoder->named_buffers()["frontend.trunk.bn1.running_mean"];
  };
  for (int step = 0; step < 2; ++step) {
    const auto before = mean(model->teacher_audio).clone();
    const auto targets = model->targets(input);
    EXPECT_TRUE(torch::equal(mean(model->teacher_audio), before)) << "it has none of its own";
    (void)model->terms(config::Modality::kAudio, input, targets);
    model->update_teachers(torch::tensor(0.75, torch::kFloat64));
    EXPECT_LE(tolerance::distance(mean(model->teacher_audio),
                                  0.75 * before + 0.25 * mean(model->student_audio)),
              1e-7);
  }
  EXPECT_GT(mean(model->teacher_audio).abs().max().item<double>(), 0);
}

TEST(Raven, KeepsAGivenTeacherFixed) {
  config::TeacherConfig teacher;
  teacher.video_weights = "somewhere.safetensors";
  auto model = make({}, teacher);
  torch::NoGradGuard no_grad;
  for (auto& parameter : model->parameters()) parameter.add_(parameter.requires_grad() ? 1 : 0);
  const auto video = model->teacher_video->parameters()[3].clone();
  const auto audio = model->teacher_audio->parameters()[3].clone();
  model->update_teachers(torch::tensor(0.5, torch::kFloat64));
  EXPECT_TRUE(torch::equal(model->teacher_video->parameters()[3], video));
  EXPECT_TRUE(torch::allclose(model->teacher_audio->parameters()[3], audio + 0.5));
}

TEST(Raven, PutsItsTeachersIntoTheirModeAgainAfterEvaluation) {
  auto model_config = small_model();
  model_config.encoder.dropout = 0.5;
  Raven model(model_config, config::LossConfig{}, config::TeacherConfig{});
  model->eval();
  EXPECT_FALSE(model->teacher_video->is_training());
  model->train();
  torch::NoGradGuard no_grad;
  const auto input = small_input();
  EXPECT_TRUE(torch::equal(model->targets(input).video, model->targets(input).video));
  EXPECT_FALSE(torch::equal(model->student_video(input.video), model->student_video(input.video)));
}

TEST(Raven, RunsInReducedPrecision) {
  auto model = make();
  const auto input = small_input();
  std::vector<TermOutput> terms;
  {
    const Bf16Scope bf16;
    const auto targets = model->targets(input);
    terms = model->terms(config::Modality::kVideo, input, targets);
    for (auto& term : model->terms(config::Modality::kAudio, input, targets)) terms.push_back(term);
  }
  torch::Tensor sum = torch::zeros({});
  for (const auto& term : terms) sum = sum + term.sum;
  sum.backward();
  const auto exact = losses(model, input);
  for (const auto& term : terms) {
    EXPECT_EQ(term.sum.scalar_type(), torch::kFloat32) << term.name;
    const auto mean = term.sum / model->frames_of(term.name, input);
    EXPECT_NEAR(mean.item<double>(), exact.at(term.name), 0.05) << term.name;
  }
  for (const auto& parameter : model->parameters_of(config::Modality::kVideo))
    EXPECT_TRUE(parameter.grad().defined());
}

}  // namespace
}  // namespace raven::models
