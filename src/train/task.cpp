#include "raven/train/task.h"

namespace raven::train {

NamedTensors ClipTask::tensors_of(const Batch& given) const {
  const auto& batch = given.as<data::Batch>();
  NamedTensors tensors{{"video", batch.video}, {"audio", batch.audio}, {"lengths", batch.lengths}};
  if (batch.teacher_video.defined()) tensors.emplace_back("teacher_video", batch.teacher_video);
  if (batch.masked_video.defined()) tensors.emplace_back("masked_video", batch.masked_video);
  if (batch.masked_audio.defined()) tensors.emplace_back("masked_audio", batch.masked_audio);
  if (batch.labels.defined()) tensors.emplace_back("labels", batch.labels);
  return tensors;
}

std::map<std::string, std::string> ClipTask::origin_of(const Batch& given) const {
  const auto& batch = given.as<data::Batch>();
  return {{"ids", fmt::format("{}", fmt::join(batch.ids, "\n"))},
          {"epoch", fmt::format("{}", batch.epoch)},
          {"index", fmt::format("{}", batch.index)}};
}

}  // namespace raven::train
