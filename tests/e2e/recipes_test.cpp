// Every recipe is planned at its full size, and trains two steps shrunk.
#include "e2e/recipe_runs.h"
#include "raven/config/load.h"
#include "raven/plan/plan.h"

namespace raven {
namespace {

constexpr double kTiB = 1024.0 * 1024 * 1024 * 1024;

template <class Config>
plan::Plan plan_of(const Config& config) {
  return plan::make_plan(config, {}, {.memory = kTiB, .device = "cpu"});
}

class RecipesAreTrained : public RecipeRuns {
 protected:
  static void all_of(const std::string& folder, std::size_t at_least) {
    spdlog::set_level(spdlog::level::warn);
    const auto files = recipes_in({folder});
    EXPECT_GE(files.size(), at_least);
    for (const auto& file : files) train_shrunk(file);
  }
};

TEST_F(RecipesAreTrained, PreTraining) { all_of("", 8); }
TEST_F(RecipesAreTrained, Ablations) { all_of("ablations", 50); }
TEST_F(RecipesAreTrained, FineTuning) { all_of("finetune", 40); }
TEST_F(RecipesAreTrained, AblationsOfFineTuning) { all_of("ablations/finetune", 3); }

TEST(RecipesArePlanned, PreTraining) {
  for (const auto& file : recipes_in({"", "ablations"})) {
    SCOPED_TRACE(file.string());
    const auto config = config::load<config::PretrainConfig>(file).config;
    const auto planned = plan_of(config);
    EXPECT_GT(planned.networks.trained_parameters(), 0);
    EXPECT_GT(planned.memory.total(), planned.memory.weights);
    EXPECT_LE(planned.batch.clips * planned.batch.frames, config.data.max_frames);
    EXPECT_GT(planned.storage.checkpoint, 0);
  }
}

/// Parameters of the published recognizers by encoder width, decoder width and modality, with 1,049
/// units; counted from the layers' shapes. Base+ as in the authors' later work.
std::int64_t published_parameters(const config::FinetuneConfig& config) {
  static const std::map<std::pair<std::int64_t, std::int64_t>,
                        std::pair<std::int64_t, std::int64_t>>
      counts = {
          {{512, 256}, {63'126'002, 55'791'794}},    {{512, 512}, {79'283'954, 71'949'746}},
          {{768, 256}, {114'762'226, 107'428'018}},  {{768, 768}, {162'878'706, 155'544'498}},
          {{1024, 256}, {350'632'434, 343'298'226}}, {{1024, 1024}, {493'680'370, 486'346'162}}};
  const auto& [video, audio] = counts.at({config.model.encoder.dim, config.model.decoder.dim});
  return config.model.modality == config::Modality::kVideo ? video : audio;
}

TEST(RecipesArePlanned, FineTuningHasThePublishedNumberOfParameters) {
  int counted = 0;
  for (const auto& file : recipes_in({"finetune"})) {
    SCOPED_TRACE(file.string());
    const auto config = config::load<config::FinetuneConfig>(file).config;
    const auto planned = plan_of(config);
    EXPECT_GT(planned.memory.total(), planned.memory.weights);
    const auto name = file.filename().string();
    if (name.starts_with("quickstart_") || name.starts_with("tiny_")) continue;
    EXPECT_EQ(planned.networks.parameters(), published_parameters(config));
    ++counted;
  }
  EXPECT_GE(counted, 38);
}

}  // namespace
}  // namespace raven
