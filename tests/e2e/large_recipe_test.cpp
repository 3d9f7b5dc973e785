// One published recipe of the Large networks at their full size: minutes, 10 GiB of memory, and as
// much room in /tmp.
#include "e2e/recipe_runs.h"

namespace raven {
namespace {

class LargeRecipe : public RecipeRuns {};

TEST_F(LargeRecipe, TrainsTwoStepsAtFullSize) {
  const auto recipe = kConfigs / "finetune" / "vsr_high_large_lrs3_vox2.yaml";
  auto overrides = two_steps(recipe);
  std::erase_if(overrides, [](const std::string& one) { return one.starts_with("model.init="); });
  overrides.insert(overrides.end(), {"model.init=", "data.max_frames=40",
                                     "checkpoint.every_epochs=null", "validation.every_epochs=0"});
  train(recipe, overrides);
}

}  // namespace
}  // namespace raven
