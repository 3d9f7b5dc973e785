#include "raven/weights/model_card.h"

#include <spdlog/fmt/fmt.h>

#include <variant>
#include <vector>

namespace raven::weights {

void describe(const std::string& prefix, const config::Schema& schema, Metadata& metadata) {
  for (const auto& field : schema.fields) {
    std::vector<std::string> items;
    for (const auto& item : field.get().items) {
      items.push_back(std::visit([](const auto& one) { return fmt::format("{}", one); }, item));
    }
    const auto text = fmt::format("{}", fmt::join(items, ", "));
    metadata[prefix + field.key] = field.list ? "[" + text + "]" : text;
  }
}

void describe_input(models::Modality modality, Metadata& metadata) {
  const bool video = modality == models::Modality::kVideo;
  metadata["modality"] = video ? "video" : "audio";
  metadata["normalisation"] =
      video ? "(x / 255 - 0.421) / 0.165" : "samples in [-1, 1], as they are";
}

void describe_decoding(double ctc_weight_of_training, Metadata& metadata) {
  config::DecodeConfig decode;
  if (ctc_weight_of_training >= 1) decode.kind = config::DecodeKind::kGreedyCtc;
  if (ctc_weight_of_training <= 0) decode.kind = config::DecodeKind::kAttention;
  describe("decode.", config::bind(decode), metadata);
}

}  // namespace raven::weights
