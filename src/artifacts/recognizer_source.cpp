#include "raven/artifacts/recognizer_source.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "raven/artifacts/checkpoint.h"
#include "raven/artifacts/encoder_source.h"
#include "raven/artifacts/model_source.h"
#include "raven/artifacts/run_files.h"
#include "raven/artifacts/vocabulary.h"
#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/core/utf8.h"
#include "raven/nn/state_dict.h"
#include "raven/weights/model_import.h"
#include "raven/weights/model_settings.h"
#include "raven/weights/weights_file.h"

namespace raven::artifacts {
namespace {

namespace fs = std::filesystem;
using config::InitParts;
using config::RecognizerConfig;

constexpr const char* kEncoder = "encoder.";
constexpr const char* kAfterNorm = "encoder.after_norm.";
constexpr const char* kBlocks = "encoder.encoders.";
constexpr std::size_t kMostListed = 4;  // names of each kind that do not fit

/// The number of the encoder's block that a tensor belongs to.
std::optional<std::int64_t> block_of(const std::string& name) {
  if (!name.starts_with(kBlocks)) return std::nullopt;
  const auto* begin = name.data() + std::string_view(kBlocks).size();
  std::int64_t block = 0;
  const auto [end, error] = std::from_chars(begin, name.data() + name.size(), block);
  return error == std::errc() ? std::optional(block) : std::nullopt;
}

bool starts_anew(const std::string& name, const RecognizerConfig& config) {
  const auto block = block_of(name);
  const auto blocks = config.encoder.blocks;
  if (block && *block >= blocks - config.reinit_blocks && *block < blocks) return true;
  if (config.init_parts == InitParts::kAll) return false;
  return !name.starts_with(kEncoder) || name.starts_with(kAfterNorm);
}

std::string last_blocks(std::int64_t count) {
  return count == 1 ? "last block" : fmt::format("last {} blocks", count);
}

/// Part of a recognizer that a tensor belongs to, for people.
std::string part_of(const std::string& name, const RecognizerConfig& config) {
  if (block_of(name)) return "the encoder's " + last_blocks(config.reinit_blocks);
  if (name.starts_with(kEncoder))
    return name.substr(0, name.find('.', std::string(kEncoder).size()));
  return name.substr(0, name.find('.'));
}

/// Sorts a file's tensors into what is taken and what is not.
RecognizerStart sorted(const weights::TensorFile& file, const RecognizerConfig& config,
                       std::map<std::string, std::int64_t> left) {
  RecognizerStart start{
      .path = {},
      .step = {},
      .content = {.tensors = {}, .metadata = {}, .mapping = file.mapping},
      .left = {},
      .starts_anew = [config](const auto& name) { return artifacts::starts_anew(name, config); }};
  for (const auto& [name, tensor] : file.tensors) {
    if (start.starts_anew(name))
      ++left[part_of(name, config)];
    else
      start.content.tensors.emplace_back(name, tensor);
  }
  for (const auto& [part, count] : left)
    start.left.push_back(fmt::format("{} ({} tensor{})", part, count, count == 1 ? "" : "s"));
  return start;
}

RecognizerStart encoder_start(const RecognizerConfig& config) {
  auto source = open_encoder(config.init, config.modality, /*mask_token=*/false);
  weights::TensorFile named{.tensors = {}, .metadata = {}, .mapping = source.encoder.mapping};
  for (const auto& [name, tensor] : source.encoder.tensors)
    named.tensors.emplace_back(kEncoder + name, tensor);
  auto start = sorted(named, config, std::move(source.others));
  start.path = source.path;
  start.step = source.step;
  return start;
}

/// Settings that the shapes of a recognizer's tensors and what they mean follow from.
config::FlatConfig shape_of(const config::EncoderConfig& encoder,
                            const config::FrontendConfig& frontend,
                            const config::DecoderConfig& decoder, const std::string& modality) {
  auto shape = config::flatten(encoder, "model.encoder.");
  shape["model.encoder.layer_scale"] = encoder.layer_scale > 0 ? "above 0" : "0";
  shape.merge(config::flatten(frontend, "model." + modality + "_frontend."));
  shape.merge(config::flatten(decoder, "model.decoder."));
  for (const auto* key :
       {"model.encoder.dropout", "model.encoder.drop_path", "model.decoder.dropout"})
    shape.erase(key);
  return shape;
}

void check_sizes(const RecognizerSource& source, const weights::ModelSettings& settings,
                 const RecognizerConfig& config) {
  const auto modality = config::modality_name(config.modality);
  const bool video = config.modality == models::Modality::kVideo;
  const auto there = shape_of(settings.encoder, settings.frontend, settings.decoder, modality);
  const auto here = shape_of(config.encoder, video ? config.video_frontend : config.audio_frontend,
                             config.decoder, modality);
  std::string differing;
  for (const auto& [key, value] : there) {
    if (here.at(key) != value)
      differing += fmt::format("\n  {}: {} in the file, {} here", key, value, here.at(key));
  }
  if (differing.empty()) return;
  throw CheckpointError(fmt::format(
      "{}: is a recognizer of other sizes, and model.init_parts=all takes the whole of it:{}\ngive "
      "its sizes, or model.init_parts=encoder for its encoder alone",
      source.path.string(), differing));
}

void check_units(const RecognizerSource& source, const weights::ModelSettings& settings,
                 const text::Units& here) {
  const auto refuse = [&](std::int64_t size, const std::string& difference) {
    throw CheckpointError(fmt::format(
        "{}: its heads are for other units ({}) than text.units or text.model give ({}){}; "
        "model.init_parts=all goes on with the vocabulary that a recognizer was trained with, "
        "model.init_parts=encoder starts with new heads",
        source.path.string(), size, here.size(), difference));
  };
  if (settings.units.empty()) {
    const auto size = settings.vocabulary > 0 ? settings.vocabulary
                                              : source.content.at("ctc.ctc_lo.weight").size(0);
    if (size != here.size()) refuse(size, "");
    log::warn("{}: does not tell its units, so only their number ({}) was compared",
              source.path.string(), size);
    return;
  }
  const auto there = text::Units::parse(settings.units, source.path.string() + ", units");
  if (there == here) return;
  for (std::int64_t id = 0; id < std::min(there.size(), here.size()); ++id) {
    if (there.piece(id) == here.piece(id)) continue;
    refuse(there.size(), fmt::format(": unit {} is '{}' there, '{}' here", id,
                                     printable(there.piece(id)), printable(here.piece(id))));
  }
  refuse(there.size(), "");
}

RecognizerStart whole_start(const RecognizerConfig& config, const text::Units& units) {
  const auto source = read_recognizer(config.init);
  const auto& tensors = source.content.tensors;
  const bool has_heads = std::any_of(tensors.begin(), tensors.end(), [](const auto& one) {
    return one.first == "ctc.ctc_lo.weight";
  });
  if (!has_heads || source.content.said("modality").empty()) {
    throw CheckpointError(fmt::format(
        "{}: {}, and model.init_parts=all takes a whole recognizer; model.init_parts=encoder takes "
        "an encoder",
        source.path.string(),
        has_heads ? "does not tell what its tensors are" : "has no CTC head"));
  }
  check_modality(source.content, config.modality, source.path);
  const auto settings =
      weights::ModelSettings::from_metadata(source.content.metadata, config.modality, source.path);
  check_sizes(source, settings, config);
  check_units(source, settings, units);
  auto start = sorted(source.content, config, {});
  start.path = source.path;
  start.step = source.content.said(weights::kStep);
  return start;
}

}  // namespace

RecognizerSource read_recognizer(const fs::path& path) {
  auto opened = open_source(path, Wanted::kRecognizer);
  RecognizerSource source{.path = opened.path, .folder = opened.folder, .content = {}};
  if (!opened.state) {
    source.content = opened.is_archive()
                         ? weights::import_model(opened.path, std::move(opened.weights)).file
                         : std::move(opened.weights.content);
    if (source.content.said("units").empty()) {
      if (const auto units = units_beside(opened.path))
        source.content.metadata["units"] = units->text();
    }
    return source;
  }
  const auto units = units_of(opened.path, *opened.state);
  if (!units) {
    throw CheckpointError(fmt::format(
        "{}: is no checkpoint of fine-tuning: there is no vocabulary in {}; a "
        "pre-trained run becomes a recognizer with raven finetune model.init={}",
        opened.path.string(), (source.folder / kUnitsFile).string(), source.folder.string()));
  }
  source.content = std::move(opened.weights.content);
  source.content.metadata = recognizer_metadata(*opened.state, *units, opened.path);
  source.content.metadata[weights::kStep] = opened.step();
  return source;
}

RecognizerStart open_start(const RecognizerConfig& config, const text::Units& units) {
  return config.init_parts == InitParts::kAll ? whole_start(config, units) : encoder_start(config);
}

weights::Metadata origin_of(const RecognizerStart& start) {
  return origin_of(start.step, start.content);
}

void apply_start(const RecognizerStart& start, const RecognizerConfig& config,
                 models::Recognizer& recognizer) {
  nn::StateDict wanted;
  for (const auto& item : nn::state_dict(*recognizer)) {
    if (!start.starts_anew(item.first)) wanted.push_back(item);
  }
  try {
    load_strictly(start.content, wanted, start.path.string(), kMostListed);
  } catch (const CheckpointError& error) {
    throw CheckpointError(
        fmt::format("{}\nmodel.encoder.* and model.{}_frontend.* must be those that it was trained "
                    "with: take the recipe of its size",
                    error.what(), config::modality_name(config.modality)));
  }
  log::info("model.init: takes {} of {}", taken_text(config), start.path.string());
  if (!start.left.empty()) log::info("model.init: not taken: {}", fmt::join(start.left, ", "));
}

std::string taken_text(const RecognizerConfig& config) {
  const bool all = config.init_parts == InitParts::kAll;
  const auto blocks = config.reinit_blocks;
  std::string text = all ? "the whole recognizer" : "the encoder but its after_norm";
  if (blocks == 0) return text;
  return text + (all ? " but the encoder's " : " and its ") + last_blocks(blocks);
}

}  // namespace raven::artifacts
