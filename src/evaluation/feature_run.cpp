#include "raven/evaluation/feature_run.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <string_view>
#include <utility>

#include "evaluation/feature_folder.h"
#include "evaluation/utterance_groups.h"
#include "raven/artifacts/encoder_source.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/folder_lock.h"
#include "raven/core/log.h"
#include "raven/core/processors.h"
#include "raven/core/utf8.h"
#include "raven/data/batching.h"
#include "raven/data/utterance_files.h"
#include "raven/media/media.h"
#include "raven/models/batch_input.h"
#include "raven/weights/npz_writer.h"
#include "raven/weights/safetensors.h"

namespace raven::evaluation {
namespace {

namespace fs = std::filesystem;
using config::FeatureFormat;
using config::FeaturesConfig;
using config::FeatureType;

std::string ending_of(FeatureFormat format) { return "." + std::string(config::enum_name(format)); }

std::int64_t final_layer(const LoadedEncoder& encoder) {
  return encoder.settings.encoder.blocks + 1;
}

std::string layer_name(std::int64_t layer, const LoadedEncoder& encoder) {
  return layer == final_layer(encoder) ? config::kFinalLayer : std::to_string(layer);
}

std::string names_of(const std::vector<std::int64_t>& layers, const LoadedEncoder& encoder) {
  std::vector<std::string> names;
  for (const auto layer : layers) names.push_back(layer_name(layer, encoder));
  return fmt::format("{}", fmt::join(names, ", "));
}

/// What each file of features says of itself, and a folder of all its files.
FeatureFolder::Settings settings_of(const LoadedEncoder& loaded, const FeaturesConfig& config,
                                    const std::vector<std::int64_t>& layers) {
  FeatureFolder::Settings settings = {{"model_sha256", loaded.sha256},
                                      {"modality", config::modality_name(loaded.settings.modality)},
                                      {"layers", names_of(layers, loaded)},
                                      {"mean", config.mean ? "true" : "false"},
                                      {"type", std::string(config::enum_name(config.type))},
                                      {"files", std::string(config::enum_name(config.format))}};
  if (loaded.settings.hears_whole_sound()) settings["whole_sound"] = "true";
  return settings;
}

std::string clip_of(const data::Utterance& utterance, models::Modality modality) {
  const bool seen = modality == models::Modality::kVideo || utterance.audio.empty();
  return printable((seen ? utterance.video : utterance.audio).text());
}

/// What is asked for, before anything is written.
struct FeaturePlan {
  std::vector<std::int64_t> layers;
  std::map<std::string, fs::path> files;  // by id
};

/// Encodes what a folder lacks.
class FeatureRun {
 public:
  /// Of rank 0, which holds the folder's lock, before the others.
  FeatureRun(LoadedEncoder& loaded, const data::Manifest& manifest, const FeaturesConfig& config,
             const torch::Device& device, FeaturePlan plan, distributed::Communicator& ranks)
      : loaded_(loaded),
        manifest_(manifest),
        config_(config),
        device_(device),
        plan_(std::move(plan)),
        ranks_(ranks),
        settings_(settings_of(loaded, config, plan_.layers)),
        folder_(ranks.rank() == 0 ? FeatureFolder(config.out, settings_, notes())
                                  : FeatureFolder(config.out, ranks.rank())) {
    for (const auto& utterance : manifest.utterances) {
      listed_[utterance.id] = &utterance;
      if (!has(utterance.id)) continue;
      check_kept(utterance);
      ++counts_.kept;
      frames_done_ += utterance.frames;
    }
    counts_.shape = shape();
  }

  /// This rank's share; rank 0 takes over the others'. False when one was asked to stop before the
  /// end.
  bool encode(const std::shared_ptr<data::SkipRecord>& skips, const std::stop_token& stop,
              const FeatureProgress& progress);

  /// Sorts the index, and says what was done.
  FeatureCounts finish(const data::SkipRecord& skips) {
    for (const auto& utterance : manifest_.utterances) {
      if (has(utterance.id) || skips.ids.contains(utterance.id)) continue;
      throw Error(fmt::format(
          "{}: the rank that was to encode '{}' has left nothing of it; do all ranks see this "
          "folder? The same command goes on",
          config_.out, printable(utterance.id)));
    }
    folder_.finish();
    counts_.written =
        std::ranges::count_if(manifest_.utterances, [&](const auto& one) { return has(one.id); }) -
        counts_.kept;
    counts_.skipped = skips.by_reason;
    return counts_;
  }

  [[nodiscard]] const FeatureFolder& folder() const { return folder_; }

 private:
  [[nodiscard]] bool has(const std::string& id) const { return folder_.rows().contains(id); }
  [[nodiscard]] std::string shape() const;
  [[nodiscard]] FeatureFolder::Settings notes() const;
  void check_kept(const data::Utterance& utterance) const;
  void write_group(const FeatureProgress& progress);
  void write_part(std::size_t begin, std::size_t end, const FeatureProgress& progress);
  void write(const data::Utterance& utterance, const torch::Tensor& layers);

  LoadedEncoder& loaded_;
  const data::Manifest& manifest_;
  const FeaturesConfig& config_;
  torch::Device device_;
  FeaturePlan plan_;
  distributed::Communicator& ranks_;
  std::map<std::string, const data::Utterance*> listed_;  // by id
  FeatureFolder::Settings settings_;
  FeatureFolder folder_;
  FeatureCounts counts_;
  std::int64_t frames_done_ = 0;
  std::vector<std::string> ids_;         // of the group that is being read
  std::vector<torch::Tensor> features_;  // what its frontend gave, (1, T, C) each
};

std::string FeatureRun::shape() const {
  const auto width = loaded_.settings.encoder.dim;
  const auto count = plan_.layers.size();
  return config_.mean || count == 1 ? fmt::format("(frames, {})", width)
                                    : fmt::format("({}, frames, {})", count, width);
}

FeatureFolder::Settings FeatureRun::notes() const {
  return {{"model", loaded_.file.string()},
          {"blocks", std::to_string(loaded_.settings.encoder.blocks)},
          {"shape", shape()},
          {"frame_rate_hz", std::to_string(media::kFrameRateHz)}};
}

void FeatureRun::check_kept(const data::Utterance& utterance) const {
  const auto& row = folder_.rows().at(utterance.id);
  const auto clip = clip_of(utterance, loaded_.settings.modality);
  const bool other_length = row.frames != utterance.frames && !utterance.length_is_approximate &&
                            !loaded_.settings.hears_whole_sound();
  if (row.source == clip && !other_length) return;
  throw ConfigError(fmt::format(
      "{}: '{}' was made from {} ({} frames), the list now says {} ({} frames); give another "
      "folder, or delete {}",
      config_.out, utterance.id, row.source, row.frames, clip, utterance.frames,
      (fs::path(config_.out) / row.file).string()));
}

bool FeatureRun::encode(const std::shared_ptr<data::SkipRecord>& skips, const std::stop_token& stop,
                        const FeatureProgress& progress) {
  loaded_.encoder->to(device_);
  loaded_.encoder->eval();
  auto groups = dealt_groups(
      manifest_, config_.data.max_frames, [&](const std::string& id) { return has(id); }, ranks_);
  if (counts_.kept > 0) log::info("{}: has {} utterances already", config_.out, counts_.kept);
  const data::Manifest unfinished{.file = manifest_.file, .utterances = groups.utterances};
  auto options = input_options(loaded_.settings, unfinished, /*seed=*/0);
  options.workers = num_readers(config_.data.workers, /*most=*/2);
  options.max_skipped = config_.data.max_skipped;
  options.skips = skips;
  const bool whole = read_each(unfinished, options, device_, stop, [&](const data::Batch& one) {
    const auto& id = one.ids.front();
    if (!ids_.empty() && groups.group_of.at(ids_.front()) != groups.group_of.at(id))
      write_group(progress);
    ids_.push_back(id);
    features_.push_back(
        loaded_.encoder->frontend(models::encoder_input(one, loaded_.settings.modality)));
  });
  if (whole) write_group(progress);
  folder_.flush();
  const bool stopped = ranks_.any(!whole);
  if (ranks_.rank() == 0) folder_.take_over_parts();
  if (!stopped)
    gather_skips(*skips, manifest_, config_.data.max_frames, config_.data.max_skipped, ranks_);
  return !stopped;
}

void FeatureRun::write_group(const FeatureProgress& progress) {
  std::vector<std::int64_t> sizes;
  for (const auto& one : features_) sizes.push_back(std::min(one.size(1), config_.data.max_frames));
  // Clips that are longer than listed pass in several parts.
  for (const auto& part : data::pack_in_order(sizes, config_.data.max_frames)) {
    write_part(static_cast<std::size_t>(part.front()), static_cast<std::size_t>(part.back()) + 1,
               progress);
  }
  ids_.clear(), features_.clear();
}

void FeatureRun::write_part(std::size_t begin, std::size_t end, const FeatureProgress& progress) {
  const std::vector<torch::Tensor> features(features_.begin() + static_cast<std::ptrdiff_t>(begin),
                                            features_.begin() + static_cast<std::ptrdiff_t>(end));
  const auto layers = encode_together(loaded_.encoder, features, plan_.layers, config_.mean);
  for (std::size_t b = begin; b < end; ++b) {
    const auto& utterance = *listed_.at(ids_[b]);
    if (has(utterance.id)) continue;
    write(utterance, layers[b - begin]);
    progress(frames_done_ += utterance.frames, manifest_.total_frames());
  }
}

void FeatureRun::write(const data::Utterance& utterance, const torch::Tensor& layers) {
  const bool half = config_.type == FeatureType::kFloat16;
  const auto numbers = layers.to(half ? torch::kFloat16 : torch::kFloat32).contiguous();
  if (!torch::isfinite(numbers).all().item<bool>()) {
    const bool too_large = half && torch::isfinite(layers).all().item<bool>();
    throw DataError(fmt::format("'{}': its features are {}", utterance.id,
                                too_large ? "beyond the range of float16; use type=float32"
                                          : "not numbers (NaN or infinite)"),
                    "not-finite");
  }
  const auto& file = plan_.files.at(utterance.id);
  const auto path = fs::path(config_.out) / file;
  make_folders(path.parent_path());
  if (config_.format == FeatureFormat::kNpy) {
    weights::write_npy(path, numbers);
  } else {
    weights::TensorFile content{.tensors = {{"features", numbers}}, .metadata = settings_};
    content.metadata["format"] = "raven-features";
    content.metadata["format_version"] = "1";
    content.metadata["id"] = utterance.id;
    content.metadata["frame_rate_hz"] = std::to_string(media::kFrameRateHz);
    weights::write_safetensors(path, content);
  }
  folder_.add(utterance.id, {.file = file.string(),
                             .frames = numbers.size(-2),
                             .width = numbers.size(-1),
                             .checksum = checksum_text(checksum_file(path)),
                             .source = clip_of(utterance, loaded_.settings.modality)});
}

void check_budget(const data::Manifest& manifest, const FeaturesConfig& config,
                  const data::SkipRecord& skips) {
  const auto count = std::ssize(skips.ids);
  if (!manifest.utterances.empty() && count <= config.data.max_skipped) return;
  if (count == 0) {
    throw ConfigError(fmt::format("{}: lists no utterances", manifest.file.string()));
  }
  const auto all = count + std::ssize(manifest.utterances);
  throw SkipBudgetError(
      count == all
          ? fmt::format("not one of {} files is usable; the last one: {}", all, skips.lines.back())
          : fmt::format("{} of {} files are unusable, data.max_skipped allows {}; the last one: {}",
                        count, all, config.data.max_skipped, skips.lines.back()));
}

}  // namespace

std::vector<std::int64_t> layer_numbers(const std::vector<std::string>& names,
                                        const LoadedEncoder& encoder) {
  const auto blocks = encoder.settings.encoder.blocks;
  std::vector<std::int64_t> layers;
  for (const auto& name : names) {
    if (name == config::kAllLayers) {
      for (std::int64_t i = 0; i <= blocks; ++i) layers.push_back(i);
      continue;
    }
    if (name == config::kFinalLayer) {
      if (!encoder.has_final_norm) {
        throw ConfigError(fmt::format(
            "{}: comes without its final norm (after_norm), so it has no layer 'final'; its last "
            "block is layers={}",
            encoder.file.string(), blocks));
      }
      layers.push_back(final_layer(encoder));
      continue;
    }
    std::int64_t layer = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), layer);
    if (error != std::errc() || end != name.data() + name.size() || layer < 0 || layer > blocks) {
      throw ConfigError(fmt::format(
          "layers lists {}, but {} has {} blocks: expected 0 (what the first block takes) to {}, "
          "or final",
          name, encoder.file.string(), blocks, blocks));
    }
    layers.push_back(layer);
  }
  return layers;
}

std::vector<torch::Tensor> encode_together(models::Encoder& encoder,
                                           const std::vector<torch::Tensor>& features,
                                           const std::vector<std::int64_t>& layers, bool mean) {
  const auto padded = pad_frames(features);
  const auto output = encoder->all_from_features(padded.frames, padded.valid);
  std::vector<torch::Tensor> chosen;  // (B, T, D) each
  for (const auto layer : layers) {
    const auto block = static_cast<std::size_t>(layer);
    chosen.push_back(block == 0                      ? output.embedded
                     : block <= output.blocks.size() ? output.blocks[block - 1]
                                                     : output.last);
  }
  auto all = torch::stack(chosen, 1);  // (B, layers, T, D)
  if (mean) {
    all = all.mean(1);
  } else if (layers.size() == 1) {
    all = all.squeeze(1);
  }
  all = all.to(torch::kCPU, torch::kFloat32);
  std::vector<torch::Tensor> utterances;
  for (std::size_t b = 0; b < features.size(); ++b) {
    utterances.push_back(all[static_cast<std::int64_t>(b)].narrow(-2, 0, features[b].size(1)));
  }
  return utterances;
}

std::map<std::string, fs::path> feature_files(const data::Manifest& manifest,
                                              FeatureFormat format) {
  const auto ending = ending_of(format);
  data::check_file_names(manifest, {ending},
                         {FeatureFolder::kOwnFiles.begin(), FeatureFolder::kOwnFiles.end()},
                         "the folder of the features");
  std::map<std::string, fs::path> files;
  for (const auto& utterance : manifest.utterances) files[utterance.id] = utterance.id + ending;
  return files;
}

std::optional<FeatureCounts> write_features(
    LoadedEncoder& loaded, const data::Manifest& manifest, const FeaturesConfig& config,
    const torch::Device& device, const std::stop_token& stop, const FeatureProgress& progress,
    std::shared_ptr<data::SkipRecord> skips, distributed::Communicator& ranks) {
  const torch::NoGradGuard no_grad;
  if (!skips) skips = std::make_shared<data::SkipRecord>();
  check_budget(manifest, config, *skips);
  FeaturePlan plan{.layers = layer_numbers(config.layers, loaded),
                   .files = feature_files(manifest, config.format)};
  const bool writes = ranks.rank() == 0;
  std::optional<FolderLock> lock;
  if (writes) {
    make_folders(config.out);
    lock.emplace(config.out);
  } else {
    ranks.barrier();  // the folder is rank 0's
  }
  FeatureRun run(loaded, manifest, config, device, std::move(plan), ranks);
  if (writes) ranks.barrier();
  ranks.note(0, "encoding", /*long_work=*/true);
  if (!writes)
    return run.encode(skips, stop, progress) ? std::optional(FeatureCounts()) : std::nullopt;
  try {
    if (!run.encode(skips, stop, progress)) return std::nullopt;
  } catch (const SkipBudgetError&) {
    run.folder().write_skipped(skips->lines);
    throw;
  }
  run.folder().write_skipped(skips->lines);
  auto counts = run.finish(*skips);
  if (counts.written + counts.kept > 0) return counts;
  throw SkipBudgetError(fmt::format("{}: not one utterance is usable; the last one: {}",
                                    manifest.file.string(), skips->lines.back()));
}

}  // namespace raven::evaluation
