#include "raven/weights/model_import.h"

#include <charconv>
#include <future>
#include <set>

#include "raven/config/schema.h"
#include "raven/core/error.h"
#include "raven/core/sha256.h"
#include "raven/core/utf8.h"
#include "raven/corpus/grey.h"
#include "raven/models/language_model.h"
#include "raven/models/recognizer.h"
#include "raven/weights/model_card.h"
#include "raven/weights/verify.h"
#include "raven/weights/weights_file.h"
#include "weights/published_names.h"
#include "weights/stand_in.h"

namespace raven::weights {
namespace {

namespace fs = std::filesystem;

std::string size_name(std::int64_t dim, std::int64_t blocks) {
  if (dim == 512 && blocks == 12) return "Base, ";
  if (dim == 768 && blocks == 12) return "Base+, ";
  if (dim == 1024 && blocks == 24) return "Large, ";
  return "";
}

/// Recognition of one file.
class Importer {
 public:
  Importer(const fs::path& file, WeightsFile opened, const ImportOptions& options)
      : path_(file),
        options_(options),
        beside_(settings_beside(file)),
        weights_(std::move(opened)) {}

  ImportedModel run() {
    const auto prefix = choose_prefix(weights_.content, path_.string());
    const bool in_encoder = prefix.ends_with("encoder.");
    const auto base = in_encoder ? prefix.substr(0, prefix.size() - 8) : prefix;
    const auto of_base = names(base);
    if (in_encoder && of_base.count("ctc.ctc_lo.weight") != 0) {
      recognizer(base);
    } else if (in_encoder && of_base.count("embed.weight") != 0) {
      language_model(base);
    } else {
      encoder(prefix);
    }
    compare_weights();
    if (result_.kind != ModelKind::kLanguageModel) add_settings();
    add_provenance(prefix);
    return std::move(result_);
  }

 private:
  [[nodiscard]] std::set<std::string> names(const std::string& prefix) const {
    std::set<std::string> found;
    for (const auto& [name, tensor] : below(weights_.content, prefix)) found.insert(name);
    return found;
  }

  /// Tensors below a prefix, without leftovers of older classes and tables that can be computed.
  NamedTensors take(const std::string& prefix) {
    auto inner = below(weights_.content, prefix);
    const auto outside = weights_.content.tensors.size() - inner.size();
    if (outside > 0) {
      result_.notes.push_back(
          fmt::format("{} tensors outside '{}' were left out", outside, printable(prefix)));
    }
    keep_modality(inner, options_.modality, path_.string());
    std::vector<std::pair<std::string, torch::Tensor>> kept;
    for (auto& one : inner) {
      if (one.first.ends_with(".gamma_ff_macaron") || one.first.ends_with(".gamma_conv") ||
          one.first.ends_with(".pe")) {
        result_.notes.push_back(
            fmt::format("'{}' was left out: no layer uses it", printable(one.first)));
      } else {
        kept.push_back(std::move(one));
      }
    }
    return {std::move(kept), path_.string()};
  }

  /// The published input; what shapes tell of the rest.
  static ModelSettings settings_of(const models::RecognizerOptions& model) {
    ModelSettings settings;
    settings.modality = model.modality;
    settings.encoder = model.encoder;
    settings.frontend = model.frontend;
    return settings;
  }

  /// A write that was cut short leaves new weights beside the settings of those before.
  void compare_weights() const {
    if (beside_.weights_hash.empty() || beside_.weights_hash == weights_hash(result_.file)) return;
    throw CheckpointError(fmt::format(
        "{}: {}{} beside it belongs to other weights; export the model again, or remove that file "
        "(and the units beside it) if the weights were changed on purpose",
        path_.string(), path_.stem().string(), kSettingsBeside));
  }

  /// What shapes do not tell and `raven export` left beside the file, instead of what published
  /// models have.
  void add_settings() {
    if (beside_.settings.empty()) {
      auto& metadata = result_.file.metadata;
      const bool video = metadata.at("modality") == "video";
      if (video) metadata[kGreyKey] = corpus::name_of(corpus::Grey::kPublished);
      const char* of_sound = metadata.contains("data.whole_sound")
                                 ? "sound as it is, beyond the last video frame too"
                                 : "sound as it is";
      result_.notes.push_back(
          fmt::format("input settings as published, since there is no {}{} beside it: {}",
                      path_.stem().string(), kSettingsBeside,
                      video ? "crops of 88 in 96 x 96 pixels" : of_sound));
      return;
    }
    auto& metadata = result_.file.metadata;
    metadata.erase("data.whole_sound");  // said where it is true alone
    for (const auto& [key, value] : beside_.settings) metadata[key] = value;
    const auto modality =
        metadata.at("modality") == "video" ? models::Modality::kVideo : models::Modality::kAudio;
    describe_input(modality, metadata.at("data.waveform"), metadata);
    result_.notes.push_back(
        fmt::format("input and decoding settings of {}{}", path_.stem().string(), kSettingsBeside));
  }

  /// --heads, or what the settings beside the file say; 0: neither.
  [[nodiscard]] std::int64_t decoder_heads() const {
    const auto said = beside_.settings.find("model.decoder.heads");
    if (options_.heads > 0 || said == beside_.settings.end()) return options_.heads;
    std::int64_t heads = 0;
    const auto& text = said->second;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), heads);
    if (error != std::errc() || rest != text.data() + text.size() || heads < 1) {
      throw CheckpointError(fmt::format("{}, settings beside it: model.decoder.heads is '{}'",
                                        path_.string(), printable(text)));
    }
    return heads;
  }

  static std::string encoder_text(const models::RecognizerOptions& model) {
    const auto& e = model.encoder;
    return fmt::format("{} ({}{} wide, {} heads, feed-forward {}, {} blocks, {} norm)",
                       model.modality == models::Modality::kVideo ? "video" : "audio",
                       size_name(e.dim, e.blocks), e.dim, e.heads, e.ffn_dim, e.blocks,
                       e.ffn_norm == config::FfnNorm::kBatch ? "batch" : "layer");
  }

  void recognizer(const std::string& base) {
    const auto in = take(base);
    models::RecognizerOptions model;
    infer_encoder(in, "encoder.", model);
    infer_decoder(in, decoder_heads(), model);
    StandIn stand_in;
    check_names(
        in, *models::Recognizer(stand_in.of(model)), stand_in,
        {{"encoder.encoders.", model.encoder.blocks}, {"decoder.decoders.", model.decoder.blocks}},
        {});
    result_.kind = ModelKind::kRecognizer;
    result_.file.tensors = in.all();
    auto settings = settings_of(model);
    settings.decoder = model.decoder;
    settings.whole_sound = settings.modality == models::Modality::kAudio;
    settings.vocabulary = model.units;
    settings.units = options_.units;
    result_.file.metadata = settings.to_metadata(result_.kind);
    if (options_.units.empty())
      result_.notes.push_back("its units are not known; decoding needs them: import with --units");
    result_.summary =
        fmt::format("fine-tuned recognizer of {}, decoder {} wide, {} heads, {} blocks, {} units",
                    encoder_text(model), model.decoder.dim, model.decoder.heads,
                    model.decoder.blocks, model.units);
  }

  void encoder(const std::string& prefix) {
    const auto in = take(prefix);
    models::RecognizerOptions model;
    infer_encoder(in, "", model);
    StandIn stand_in;
    const auto small = stand_in.of(model);
    check_names(in, *models::Encoder(model.modality, small.encoder, small.frontend), stand_in,
                {{"encoders.", model.encoder.blocks}}, {"after_norm.weight", "after_norm.bias"});
    if (!in.has("after_norm.weight")) {
      result_.notes.push_back("has no after_norm: enough to fine-tune from, not for features");
    }
    for (const auto& [name, tensor] : in.all()) {
      result_.file.tensors.emplace_back("encoder." + name, tensor);
    }
    result_.kind = ModelKind::kEncoder;
    result_.file.metadata = settings_of(model).to_metadata(result_.kind);
    result_.summary = "pre-trained encoder of " + encoder_text(model);
  }

  void language_model(const std::string& base) {
    const auto in = take(base);
    config::LanguageModelConfig model;
    const auto units = in.size("embed.weight", 0);
    model.embed_dim = in.size("embed.weight", 1);
    model.dim = in.size("encoder.embed.0.weight", 0);
    model.ffn_dim = in.size("encoder.encoders.0.feed_forward.w_1.weight", 0);
    model.blocks = in.blocks("encoder.encoders.", "feed_forward.w_1.weight");
    model.heads = heads_of(options_.heads, model.dim, 0, in);
    StandIn stand_in;
    const auto small = stand_in.of(model);
    const models::LanguageModel network(small, stand_in.of_units(units));
    check_names(in, *network, stand_in, {{"encoder.encoders.", model.blocks}}, {});
    result_.kind = ModelKind::kLanguageModel;
    result_.file.tensors = in.all();
    result_.file.metadata = language_model_metadata(model, units, options_.units);
    result_.summary = fmt::format("language model, {} wide, {} heads, {} blocks, {} units",
                                  model.dim, model.heads, model.blocks, units);
  }

  void add_provenance(const std::string& prefix) {
    auto& metadata = result_.file.metadata;
    metadata["format_version"] = "1";
    metadata["source"] = as_utf8(path_.filename().string());
    metadata["source_format"] = format_name(weights_.format);
    metadata["source_prefix"] = prefix;
    metadata["licence"] = options_.licence.empty()
                              ? "not told by the file; the terms of its publisher hold"
                              : as_utf8(options_.licence);
    result_.file.mapping = weights_.content.mapping;
  }

  fs::path path_;
  ImportOptions options_;
  SettingsBeside beside_;
  WeightsFile weights_;
  ImportedModel result_;
};

}  // namespace

ImportedModel import_model(const fs::path& file, const ImportOptions& options) {
  auto opened = open_weights(file);
  // An archive is verified with the hash of all its bytes that is taken while the model is written.
  if (opened.format == WeightsFormat::kSafetensors) verify(file, opened.content);
  return import_model(file, std::move(opened), options);
}

ImportedModel import_model(const fs::path& file, WeightsFile opened, const ImportOptions& options) {
  if (const auto format = opened.content.said("format"); format.starts_with("raven-")) {
    throw CheckpointError(fmt::format(
        "{}: is raven's own file already ({}), with settings that an import would lose; commands "
        "take it as it is, and `raven export` writes it in another format",
        file.string(), printable(format)));
  }
  return Importer(file, std::move(opened), options).run();
}

void write_imported(const fs::path& to, const fs::path& source, const ImportedModel& model) {
  const auto hash = [&] {
    const auto& read = model.file.mapping;
    return read ? sha256_and_verify(*read) : sha256_and_verify(source);
  };
  auto hashed = std::async(std::launch::async, hash);  // beside the writing
  auto file = model.file;
  file.metadata[kSourceHash] = std::string(kSha256Digits, '0');
  write_safetensors(to, file, {.hashes = true, .forget = true, .complete = [&](Metadata& metadata) {
                                 metadata[kSourceHash] = hashed.get();
                               }});
}

}  // namespace raven::weights
