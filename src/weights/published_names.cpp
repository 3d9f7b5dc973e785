#include "weights/published_names.h"

#include <algorithm>

#include "raven/core/error.h"
#include "raven/core/utf8.h"

namespace raven::weights {
namespace {

constexpr std::int64_t kPublishedHeadWidth = 64;
constexpr const char* kFirstBlock = "encoders.0.feed_forward.w_1.weight";
constexpr const char* kUsrPrefix = "model._orig_mod.model.backbone.encoder.";

/// Where the models of a file begin: what stands before `encoders.0...`.
std::vector<std::string> encoder_prefixes(const TensorFile& file) {
  std::vector<std::string> prefixes;
  for (const auto& [name, tensor] : file.tensors) {
    if (name.ends_with(kFirstBlock)) {
      prefixes.push_back(name.substr(0, name.size() - std::string(kFirstBlock).size()));
    }
  }
  return prefixes;
}

}  // namespace

std::string choose_prefix(const TensorFile& file, const std::string& source) {
  const auto prefixes = encoder_prefixes(file);
  if (prefixes.empty()) {
    throw CheckpointError(fmt::format(
        "{}: holds {} tensors, but no '...{}': neither a recognizer nor an encoder nor a language "
        "model of the published names",
        source, file.tensors.size(), kFirstBlock));
  }
  for (const auto& known : {std::string(kUsrPrefix), std::string("encoder."), std::string()}) {
    if (std::find(prefixes.begin(), prefixes.end(), known) != prefixes.end()) return known;
  }
  if (prefixes.size() == 1) return prefixes.front();
  std::vector<std::string> shown;
  for (const auto& prefix : prefixes) shown.push_back("'" + printable(prefix) + "'");
  throw CheckpointError(fmt::format("{}: holds several encoders ({}); keep one of them", source,
                                    fmt::join(shown, ", ")));
}

std::vector<std::pair<std::string, torch::Tensor>> below(const TensorFile& file,
                                                         const std::string& prefix) {
  std::vector<std::pair<std::string, torch::Tensor>> inner;
  for (const auto& [name, tensor] : file.tensors) {
    if (name.starts_with(prefix)) inner.emplace_back(name.substr(prefix.size()), tensor);
  }
  return inner;
}

void keep_modality(std::vector<std::pair<std::string, torch::Tensor>>& tensors,
                   const std::string& modality, const std::string& source) {
  const bool shared = std::any_of(tensors.begin(), tensors.end(), [](const auto& one) {
    return one.first.starts_with("frontend_");
  });
  if (!shared) return;
  if (modality.empty()) {
    throw CheckpointError(source +
                          ": is an encoder for sight and sound; choose a half, with --modality or, "
                          "in `raven export`, with --part video or --part audio");
  }
  const std::string letter = modality == "video" ? "v" : "a";
  std::vector<std::pair<std::string, torch::Tensor>> kept;
  for (const auto& [name, tensor] : tensors) {
    const std::string frontend = "frontend_" + letter + ".", linear = "linear_" + letter + ".";
    if (name.starts_with(frontend)) {
      kept.emplace_back("frontend." + name.substr(frontend.size()), tensor);
    } else if (name.starts_with(linear)) {
      kept.emplace_back("embed.0." + name.substr(linear.size()), tensor);
    } else if (!name.starts_with("frontend_") && !name.starts_with("linear_")) {
      kept.emplace_back(name, tensor);
    }
  }
  tensors = std::move(kept);
}

std::int64_t heads_of(std::int64_t asked, std::int64_t dim, std::int64_t small,
                      const NamedTensors& in) {
  const auto heads =
      asked > 0 ? asked
                : (small > 0 ? small : std::max<std::int64_t>(dim / kPublishedHeadWidth, 1));
  if (dim % heads != 0) {
    in.refuse(
        fmt::format("a width of {} cannot have {} heads; say how many with --heads", dim, heads));
  }
  return heads;
}

void infer_encoder(const NamedTensors& in, const std::string& prefix,
                   models::RecognizerOptions& out) {
  const bool token = in.has(prefix + "embed.mask_emb");
  const auto block = prefix + "encoders.0.";
  const bool video = in.has(prefix + "frontend.frontend3D.0.weight");
  out.modality = video ? models::Modality::kVideo : models::Modality::kAudio;
  out.encoder.mask_token = token;
  out.encoder.dim = in.size(prefix + (token ? "embed.linear.weight" : "embed.0.weight"), 0);
  out.encoder.heads = in.size(block + "self_attn.pos_bias_u", 0);
  out.encoder.ffn_dim = in.size(block + "feed_forward.w_1.weight", 0);
  out.encoder.blocks = in.blocks(prefix + "encoders.", "feed_forward.w_1.weight");
  out.encoder.ffn_norm =
      in.has(block + "norm_ff.running_mean") ? config::FfnNorm::kBatch : config::FfnNorm::kLayer;
  if (!in.has(block + "gamma_ff")) out.encoder.layer_scale = 0;
  out.frontend.widths.clear();
  for (int stage = 1; stage <= 4; ++stage) {
    out.frontend.widths.push_back(
        in.size(fmt::format("{}frontend.trunk.layer{}.0.conv1.weight", prefix, stage), 0));
  }
  if (out.encoder.heads < 1 || out.encoder.dim < 2 || out.encoder.dim % 2 != 0 ||
      out.encoder.dim % out.encoder.heads != 0) {
    in.refuse(
        fmt::format("an encoder of width {} and {} heads", out.encoder.dim, out.encoder.heads));
  }
}

void infer_decoder(const NamedTensors& in, std::int64_t heads, models::RecognizerOptions& out) {
  out.units = in.size("ctc.ctc_lo.weight", 0);
  out.decoder.dim = in.size("decoder.embed.0.weight", 1);
  out.decoder.ffn_dim = in.size("decoder.decoders.0.feed_forward.w_1.weight", 0);
  out.decoder.blocks = in.blocks("decoder.decoders.", "feed_forward.w_1.weight");
  const bool published = out.encoder.dim / out.encoder.heads == kPublishedHeadWidth;
  out.decoder.heads = heads_of(heads, out.decoder.dim, published ? 0 : out.encoder.heads, in);
}

}  // namespace raven::weights
