#include "raven/artifacts/encoder_source.h"

#include <algorithm>

#include "raven/artifacts/checkpoint.h"
#include "raven/artifacts/model_source.h"
#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/nn/state_dict.h"
#include "raven/weights/model_import.h"
#include "raven/weights/weights_file.h"

namespace raven::artifacts {
namespace {

namespace fs = std::filesystem;
using config::modality_name;

constexpr const char* kMaskToken = "embed.mask_emb";
constexpr const char* kProjectionBesideToken = "embed.linear.";
constexpr const char* kPlainProjection = "embed.0.";
constexpr const char* kFinalNorm = "after_norm.";
constexpr std::size_t kMostListed = 4;  // names of each kind that do not fit

/// Tensors whose names begin with `prefix`, without it; the others are counted.
EncoderSource below(const weights::TensorFile& file, const std::string& prefix) {
  EncoderSource source;
  source.encoder.metadata = file.metadata;
  source.encoder.mapping = file.mapping;
  for (const auto& [name, tensor] : file.tensors) {
    if (name.starts_with(prefix))
      source.encoder.tensors.emplace_back(name.substr(prefix.size()), tensor);
    else
      ++source.others[name.substr(0, name.find('.'))];
  }
  return source;
}

EncoderSource encoder_in(const weights::TensorFile& file, models::Modality modality,
                         const fs::path& path) {
  const auto name = modality_name(modality);
  for (const auto& prefix : {"student_" + name + ".", std::string("encoder.")}) {
    if (auto part = below(file, prefix); !part.encoder.tensors.empty()) return part;
  }
  const auto other = modality == models::Modality::kVideo ? "student_audio." : "student_video.";
  if (!below(file, other).encoder.tensors.empty()) {
    throw CheckpointError(fmt::format(
        "{}: has no {} student; its losses trained the other one alone", path.string(), name));
  }
  return below(file, "");
}

}  // namespace

void check_modality(const weights::TensorFile& file, models::Modality modality,
                    const fs::path& path) {
  const auto said = file.said("modality"), name = modality_name(modality);
  if (said.empty() || said == name) return;
  throw CheckpointError(
      fmt::format("{}: holds an encoder of {}, expected one of {}", path.string(), said, name));
}

EncoderSource open_encoder(const fs::path& given, models::Modality modality) {
  auto opened = open_source(given, wanted_encoder(modality));
  const auto& path = opened.path;
  const auto step = opened.step();
  const auto file = opened.is_archive()
                        ? weights::import_model(path, std::move(opened.weights),
                                                {.modality = modality_name(modality)})
                              .file
                        : std::move(opened.weights.content);
  check_modality(file, modality, path);
  auto source = encoder_in(file, modality, path);
  source.path = path;
  source.step = step;
  return source;
}

EncoderSource open_encoder(const fs::path& path, models::Modality modality, bool mask_token) {
  auto source = open_encoder(path, modality);
  const std::string from = mask_token ? kPlainProjection : kProjectionBesideToken;
  const std::string to = mask_token ? kProjectionBesideToken : kPlainProjection;
  std::vector<std::pair<std::string, torch::Tensor>> named;
  for (const auto& [name, tensor] : source.encoder.tensors) {
    if (name == kMaskToken && !mask_token)
      ++source.others["mask token"];
    else
      named.emplace_back(name.starts_with(from) ? to + name.substr(from.size()) : name, tensor);
  }
  source.encoder.tensors = std::move(named);
  return source;
}

weights::Metadata origin_of(const std::string& step, const weights::TensorFile& content) {
  weights::Metadata origin;
  if (!step.empty()) origin[weights::kStartedStep] = step;
  if (content.mapping)
    origin[weights::kStartedSha256] = weights::sha256_and_verify(*content.mapping);
  return origin;
}

void apply_to_student(const EncoderSource& source, models::Encoder& student,
                      const std::string& key) {
  const auto has = [&](const std::string& part) {
    return std::ranges::any_of(source.encoder.tensors,
                               [&](const auto& one) { return one.first.starts_with(part); });
  };
  std::vector<std::string> anew;
  auto wanted = nn::state_dict(*student);
  for (const std::string part : {kMaskToken, kFinalNorm}) {
    if (has(part)) continue;
    const auto gone =
        std::erase_if(wanted, [&](const auto& one) { return one.first.starts_with(part); });
    if (gone > 0) anew.push_back(part == kMaskToken ? "its mask token" : "its after_norm");
  }
  try {
    load_strictly(source.encoder, wanted, source.path.string(), kMostListed);
  } catch (const CheckpointError& error) {
    throw CheckpointError(
        fmt::format("{}\n{}: model.encoder.* and model.*_frontend.* must be those that it was "
                    "trained with: take the recipe of its size",
                    error.what(), key));
  }
  log::info("{}: takes the encoder of {}", key, source.path.string());
  if (!anew.empty()) log::info("{}: starts anew: {}", key, fmt::join(anew, ", "));
}

weights::TensorFile read_encoder(const fs::path& path, models::Modality modality) {
  return open_encoder(path, modality).encoder;
}

}  // namespace raven::artifacts
