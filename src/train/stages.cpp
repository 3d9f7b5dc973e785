#include "raven/train/stages.h"

#include "raven/train/finetune_stage.h"
#include "raven/train/init_input.h"
#include "raven/train/lm_stage.h"
#include "raven/train/pretrain_stage.h"

namespace raven::train {

const std::vector<StageKind>& stages() {
  static const std::vector<StageKind> all = {
      stage_kind<config::PretrainConfig, PretrainStage>(
          [](const auto& file, const auto& overrides) { return load_pretrain(file, overrides); }),
      stage_kind<config::FinetuneConfig, FinetuneStage>(
          [](const auto& file, const auto& overrides) { return load_finetune(file, overrides); }),
      stage_kind<config::LmConfig, LmStage>(),
  };
  return all;
}

}  // namespace raven::train
