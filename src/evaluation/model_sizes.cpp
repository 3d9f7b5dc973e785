#include "evaluation/model_sizes.h"

#include <algorithm>

#include "raven/core/error.h"

namespace raven::evaluation {
namespace {

/// A file's tensors against the sizes that its settings say.
class Sizes {
 public:
  Sizes(const std::filesystem::path& file, const weights::TensorFile& content)
      : file_(file), content_(content) {}

  /// 0 where there is no such tensor or dimension.
  [[nodiscard]] std::int64_t size(const std::string& name, std::int64_t dimension) const {
    const auto found = find(name);
    const bool is_there = found != content_.tensors.end() && found->second.dim() > dimension;
    return is_there ? found->second.size(dimension) : 0;
  }

  /// Of a transformer block.
  void expect_block(const std::string& block, std::int64_t dim, std::int64_t ffn_dim) const {
    expect(block + "self_attn.linear_q.weight", 0, dim);
    expect(block + "self_attn.linear_q.weight", 1, dim);
    expect(block + "feed_forward.w_1.weight", 0, ffn_dim);
    expect(block + "feed_forward.w_1.weight", 1, dim);
  }

  void expect(const std::string& name, std::int64_t dimension, std::int64_t size) const {
    if (this->size(name, dimension) == size) return;
    const auto found = find(name);
    throw CheckpointError(
        fmt::format("{}: by its own settings '{}' has {} in dimension {}, but it {}",
                    file_.string(), name, size, dimension,
                    found == content_.tensors.end()
                        ? "is missing"
                        : fmt::format("is [{}]", fmt::join(found->second.sizes(), ", "))));
  }

 private:
  [[nodiscard]] std::vector<std::pair<std::string, torch::Tensor>>::const_iterator find(
      const std::string& name) const {
    return std::ranges::find(content_.tensors, name, [](const auto& one) { return one.first; });
  }

  const std::filesystem::path& file_;
  const weights::TensorFile& content_;
};

}  // namespace

void check_encoder_sizes(const std::filesystem::path& file, const weights::TensorFile& content,
                         const std::string& prefix, const weights::ModelSettings& settings) {
  const Sizes sizes(file, content);
  const auto& options = settings.encoder;
  for (std::int64_t i = 0; i < options.blocks; ++i) {
    sizes.expect_block(fmt::format("{}encoders.{}.", prefix, i), options.dim, options.ffn_dim);
  }
  const auto& widths = settings.frontend.widths;
  for (std::size_t stage = 0; stage < widths.size(); ++stage) {
    sizes.expect(fmt::format("{}frontend.trunk.layer{}.0.conv1.weight", prefix, stage + 1), 0,
                 widths[stage]);
  }
}

void check_decoder_sizes(const std::filesystem::path& file, const weights::TensorFile& content,
                         const weights::ModelSettings& settings, std::int64_t num_units) {
  const Sizes sizes(file, content);
  const auto& options = settings.decoder;
  sizes.expect("ctc.ctc_lo.weight", 0, num_units);
  sizes.expect("decoder.embed.0.weight", 0, num_units);
  sizes.expect("decoder.embed.0.weight", 1, options.dim);
  for (std::int64_t i = 0; i < options.blocks; ++i) {
    sizes.expect_block(fmt::format("decoder.decoders.{}.", i), options.dim, options.ffn_dim);
  }
}

std::int64_t check_language_model_sizes(const std::filesystem::path& file,
                                        const weights::TensorFile& content,
                                        const config::LanguageModelConfig& settings) {
  const Sizes sizes(file, content);
  const auto num_units = sizes.size("decoder.bias", 0);
  if (num_units < 1) {
    throw CheckpointError(
        fmt::format("{}: has no 'decoder.bias', so it is no language model", file.string()));
  }
  sizes.expect("embed.weight", 0, num_units);
  sizes.expect("embed.weight", 1, settings.embed_dim);
  sizes.expect("encoder.embed.0.weight", 0, settings.dim);
  sizes.expect("encoder.embed.0.weight", 1, settings.embed_dim);
  sizes.expect("decoder.weight", 0, num_units);
  sizes.expect("decoder.weight", 1, settings.dim);
  for (std::int64_t i = 0; i < settings.blocks; ++i)
    sizes.expect_block(fmt::format("encoder.encoders.{}.", i), settings.dim, settings.ffn_dim);
  return num_units;
}

}  // namespace raven::evaluation
