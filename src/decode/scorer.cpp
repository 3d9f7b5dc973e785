#include "raven/decode/scorer.h"

namespace raven::decode {

AttentionScorer::AttentionScorer(nn::TransformerDecoder decoder, const torch::Tensor& encoded,
                                 const torch::Tensor& valid)
    : decoder_(std::move(decoder)), state_(decoder_->start(encoded, valid)) {}

torch::Tensor AttentionScorer::score(const torch::Tensor& newest) {
  return decoder_->step(newest, state_).to(torch::kFloat32);
}

void AttentionScorer::select(const torch::Tensor& utterances, const torch::Tensor& parents) {
  state_.select(utterances, parents);
}

LanguageModelScorer::LanguageModelScorer(models::LanguageModel model)
    : model_(std::move(model)), state_(model_->start()) {}

torch::Tensor LanguageModelScorer::score(const torch::Tensor& newest) {
  return model_->step(newest, state_).to(torch::kFloat32);
}

void LanguageModelScorer::select(const torch::Tensor& utterances, const torch::Tensor& parents) {
  state_.select(utterances, parents);
}

torch::Tensor LengthScorer::score(const torch::Tensor& newest) {
  return torch::ones({}, torch::TensorOptions(torch::kFloat32).device(newest.device()))
      .expand({newest.size(0), newest.size(1), num_units_});
}

}  // namespace raven::decode
