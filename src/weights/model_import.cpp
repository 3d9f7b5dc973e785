#include "raven/weights/model_import.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <future>
#include <map>
#include <set>

#include "raven/config/schema.h"
#include "raven/core/error.h"
#include "raven/core/sha256.h"
#include "raven/core/utf8.h"
#include "raven/models/language_model.h"
#include "raven/models/recognizer.h"
#include "raven/nn/state_dict.h"
#include "raven/weights/model_card.h"
#include "raven/weights/verify.h"
#include "raven/weights/weights_file.h"

namespace raven::weights {
namespace {

namespace fs = std::filesystem;
using Shape = std::vector<std::int64_t>;

constexpr std::int64_t kPublishedHeadWidth = 64;
constexpr std::size_t kMaxListed = 8;
constexpr const char* kFirstBlock = "encoders.0.feed_forward.w_1.weight";
constexpr const char* kUsrPrefix = "model._orig_mod.model.backbone.encoder.";

bool starts_with(const std::string& text, const std::string& start) {
  return text.rfind(start, 0) == 0;
}
bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// The tensors of a model by name, with the questions that recognition asks.
class Tensors {
 public:
  Tensors(std::vector<std::pair<std::string, torch::Tensor>> all, std::string source)
      : all_(std::move(all)), source_(std::move(source)) {
    for (const auto& [name, tensor] : all_) shapes_.emplace(name, tensor.sizes().vec());
  }

  [[nodiscard]] const auto& all() const { return all_; }
  [[nodiscard]] const auto& shapes() const { return shapes_; }
  [[nodiscard]] bool has(const std::string& name) const { return shapes_.count(name) != 0; }

  /// Throws when the name is not there or has fewer dimensions.
  [[nodiscard]] std::int64_t size(const std::string& name, std::size_t dimension) const {
    const auto found = shapes_.find(name);
    if (found == shapes_.end() || found->second.size() <= dimension) {
      refuse(fmt::format("lacks '{}' of at least {} dimensions", name, dimension + 1));
    }
    return found->second[dimension];
  }
  [[nodiscard]] std::int64_t blocks(const std::string& prefix, const std::string& inside) const {
    std::int64_t count = 0;
    while (has(fmt::format("{}{}.{}", prefix, count, inside))) ++count;
    return count;
  }
  [[noreturn]] void refuse(const std::string& problem) const {
    throw CheckpointError(source_ + ": " + problem);
  }

 private:
  std::vector<std::pair<std::string, torch::Tensor>> all_;
  std::map<std::string, Shape> shapes_;
  std::string source_;
};

/// Where the models of a file begin: what stands before `encoders.0...`.
std::vector<std::string> encoder_prefixes(const TensorFile& file) {
  std::vector<std::string> prefixes;
  for (const auto& [name, tensor] : file.tensors) {
    if (ends_with(name, kFirstBlock)) {
      prefixes.push_back(name.substr(0, name.size() - std::string(kFirstBlock).size()));
    }
  }
  return prefixes;
}

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
    if (starts_with(name, prefix)) inner.emplace_back(name.substr(prefix.size()), tensor);
  }
  return inner;
}

/// Names of a shared encoder (USR) as those of one modality; nothing changes for other files.
void keep_modality(std::vector<std::pair<std::string, torch::Tensor>>& tensors,
                   const std::string& modality, const std::string& source) {
  const bool shared = std::any_of(tensors.begin(), tensors.end(), [](const auto& one) {
    return starts_with(one.first, "frontend_");
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
    if (starts_with(name, frontend)) {
      kept.emplace_back("frontend." + name.substr(frontend.size()), tensor);
    } else if (starts_with(name, linear)) {
      kept.emplace_back("embed.0." + name.substr(linear.size()), tensor);
    } else if (!starts_with(name, "frontend_") && !starts_with(name, "linear_")) {
      kept.emplace_back(name, tensor);
    }
  }
  tensors = std::move(kept);
}

std::int64_t heads_of(std::int64_t asked, std::int64_t dim, std::int64_t small, const Tensors& in) {
  const auto heads =
      asked > 0 ? asked
                : (small > 0 ? small : std::max<std::int64_t>(dim / kPublishedHeadWidth, 1));
  if (dim % heads != 0) {
    in.refuse(
        fmt::format("a width of {} cannot have {} heads; say how many with --heads", dim, heads));
  }
  return heads;
}

/// Of an encoder whose names begin with `prefix`.
void infer_encoder(const Tensors& in, const std::string& prefix, models::RecognizerOptions& out) {
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

void infer_decoder(const Tensors& in, std::int64_t heads, models::RecognizerOptions& out) {
  out.units = in.size("ctc.ctc_lo.weight", 0);
  out.decoder.dim = in.size("decoder.embed.0.weight", 1);
  out.decoder.ffn_dim = in.size("decoder.decoders.0.feed_forward.w_1.weight", 0);
  out.decoder.blocks = in.blocks("decoder.decoders.", "feed_forward.w_1.weight");
  const bool published = out.encoder.dim / out.encoder.heads == kPublishedHeadWidth;
  out.decoder.heads = heads_of(heads, out.decoder.dim, published ? 0 : out.encoder.heads, in);
}

/// A small model that stands for one of the sizes that a file claims: each size has its own small
/// number, found again in the shapes of the small model. So a file of a few bytes cannot ask for
/// the memory of a large network, and a large one takes no time to fill with random weights.
class StandIn {
 public:
  /// One block of the encoder and, where there is one, the decoder, which are as wide as each other
  /// where they were (no projection lies between them then).
  models::RecognizerOptions of(const models::RecognizerOptions& model) {
    auto small = model;
    put(small.encoder, model.encoder, /*dim=*/286, /*heads=*/11, /*ffn=*/23);
    put(286 / 11, model.encoder.dim / model.encoder.heads);
    const bool equal = model.decoder.dim == model.encoder.dim;
    put(small.decoder, model.decoder, /*dim=*/equal ? 286 : 52, /*heads=*/13, /*ffn=*/53);
    constexpr std::array<std::int64_t, 4> kWidths = {31, 37, 41, 43};
    for (std::size_t stage = 0; stage < kWidths.size(); ++stage) {
      small.frontend.widths[stage] = put(kWidths[stage], model.frontend.widths[stage]);
    }
    small.units = of_units(model.units);
    return small;
  }
  config::LanguageModelConfig of(const config::LanguageModelConfig& model) {
    auto small = model;
    put(small, model, /*dim=*/102, /*heads=*/17, /*ffn=*/61);
    small.embed_dim = put(59, model.embed_dim);
    return small;
  }
  std::int64_t of_units(std::int64_t units) { return put(47, units); }

  /// A shape of the small model as the large one has it.
  [[nodiscard]] Shape original(Shape shape) const {
    for (auto& size : shape) {
      if (const auto known = original_.find(size); known != original_.end()) size = known->second;
    }
    return shape;
  }

 private:
  std::int64_t put(std::int64_t small, std::int64_t original) {
    original_[small] = original;
    return small;
  }
  template <class Network>
  void put(Network& small, const Network& model, std::int64_t dim, std::int64_t heads,
           std::int64_t ffn) {
    small.blocks = 1;
    small.dim = put(dim, model.dim);
    small.heads = put(heads, model.heads);
    small.ffn_dim = put(ffn, model.ffn_dim);
  }

  std::map<std::int64_t, std::int64_t> original_;  // by the number that stands for it
};

/// Names and shapes must be those of the model that `model` stands for, which has one block where
/// the file has many.
void check_names(const Tensors& in, const torch::nn::Module& model, const StandIn& stand_in,
                 const std::map<std::string, std::int64_t>& blocks,
                 const std::set<std::string>& may_lack) {
  std::map<std::string, Shape> wanted;
  for (const auto& [name, tensor] : nn::state_dict(model)) {
    const auto shape = stand_in.original(tensor.sizes().vec());
    const auto first = name.find("coders.0.");  // encoders and decoders
    if (first == std::string::npos) {
      wanted.emplace(name, shape);
      continue;
    }
    const auto list = name.substr(0, first + 7);
    for (std::int64_t i = 0; i < blocks.at(list); ++i) {
      wanted.emplace(fmt::format("{}{}{}", list, i, name.substr(first + 8)), shape);
    }
  }
  std::vector<std::string> problems;
  for (const auto& [name, shape] : wanted) {
    const auto found = in.shapes().find(name);
    if (found == in.shapes().end()) {
      if (may_lack.count(name) == 0) problems.push_back("missing " + name);
    } else if (found->second != shape) {
      problems.push_back(fmt::format("{} is [{}] instead of [{}]", name,
                                     fmt::join(found->second, ", "), fmt::join(shape, ", ")));
    }
  }
  for (const auto& [name, shape] : in.shapes()) {
    if (wanted.count(name) == 0) problems.push_back("unexpected " + printable(name));
  }
  if (problems.empty()) return;
  const auto count = problems.size();
  if (count > kMaxListed) {
    problems.resize(kMaxListed);
    problems.push_back(fmt::format("and {} more", count - kMaxListed));
  }
  in.refuse(
      fmt::format("does not fit the model that its shapes tell: {}", fmt::join(problems, "; ")));
}

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
    const bool in_encoder = ends_with(prefix, "encoder.");
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
  Tensors take(const std::string& prefix) {
    auto inner = below(weights_.content, prefix);
    const auto outside = weights_.content.tensors.size() - inner.size();
    if (outside > 0) {
      result_.notes.push_back(
          fmt::format("{} tensors outside '{}' were left out", outside, printable(prefix)));
    }
    keep_modality(inner, options_.modality, path_.string());
    std::vector<std::pair<std::string, torch::Tensor>> kept;
    for (auto& one : inner) {
      if (ends_with(one.first, ".gamma_ff_macaron") || ends_with(one.first, ".gamma_conv") ||
          ends_with(one.first, ".pe")) {
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
      const bool video = result_.file.metadata.at("modality") == "video";
      result_.notes.push_back(
          fmt::format("input settings as published, since there is no {}{} beside it: {}",
                      path_.stem().string(), kSettingsBeside,
                      video ? "crops of 88 in 96 x 96 pixels" : "sound as it is"));
      return;
    }
    auto& metadata = result_.file.metadata;
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
    auto& metadata = result_.file.metadata;
    metadata = config::flatten(model, "model.");
    metadata["format"] = format_of(result_.kind);
    metadata["vocabulary"] = fmt::format("{}", units);
    if (!options_.units.empty()) metadata["units"] = options_.units;
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
