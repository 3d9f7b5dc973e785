// The recognizers of recognizers.json, and the inputs of its cases.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "raven/models/recognizer.h"
#include "support/golden.h"

namespace raven::golden {

inline models::Recognizer recognizer(const nlohmann::json& content, const std::string& salt) {
  const auto& sizes = content.at("decoder");
  models::Recognizer recognizer(models::RecognizerOptions{
      .modality =
          content.at("modality") == "video" ? models::Modality::kVideo : models::Modality::kAudio,
      .encoder = encoder_options(content.at("encoder")),
      .frontend = {},
      .decoder = {.dim = sizes.at("dim"),
                  .heads = sizes.at("heads"),
                  .ffn_dim = sizes.at("ffn"),
                  .blocks = sizes.at("blocks"),
                  .dropout = 0},
      .units = content.at("vocab")});
  formula::fill(*recognizer, salt, content.at("weights_prefix"));
  return recognizer;
}

struct RecognizerInput {
  torch::Tensor input, valid, labels;  // labels: rows padded to the longest
};

inline RecognizerInput recognizer_input(const nlohmann::json& content, const std::string& salt) {
  const auto lengths = golden::lengths(content);
  const auto frames = longest(content);
  const auto name = content.at("input").get<std::string>();
  const auto& rows = content.at("labels");
  std::size_t most = 0;
  for (const auto& row : rows) most = std::max(most, row.size());
  auto labels =
      torch::full({static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(most)},
                  models::kNoLabel, torch::kInt64);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto row = rows[i].get<std::vector<std::int64_t>>();
    labels[static_cast<std::int64_t>(i)].slice(0, 0, static_cast<std::int64_t>(row.size())) =
        torch::tensor(row, torch::kInt64);
  }
  return {.input = content.at("modality") == "video" ? formula::video(salt, name, lengths, frames)
                                                     : formula::audio(salt, name, lengths, frames),
          .valid = formula::valid(lengths, frames),
          .labels = labels};
}

}  // namespace raven::golden
