#include "raven/train/stage_data.h"

#include <iterator>
#include <map>
#include <set>

#include "raven/artifacts/run_files.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/core/tried_path.h"
#include "raven/data/grey_kinds.h"
#include "raven/data/media_roots.h"
#include "raven/data/modality.h"
#include "raven/data/subset.h"
#include "raven/media/media.h"

namespace raven::train {
namespace {

namespace fs = std::filesystem;

/// Throws ConfigError that says how to make the missing file.
void check_exists(const std::string& manifest, const std::string& key) {
  if (fs::exists(manifest)) return;
  throw ConfigError(fmt::format(
      "{}: there is no {}\nprepare the data first: raven prepare <folder of the corpus> --out {}",
      key, tried_path(manifest),
      fs::path(manifest).has_parent_path() ? fs::path(manifest).parent_path().string() : "."));
}

data::Manifest read_lists(const std::vector<std::string>& lists, const std::string& key,
                          const config::DataConfig& config) {
  std::vector<fs::path> files;
  for (const auto& file : lists) {
    check_exists(file, key);
    files.emplace_back(file);
  }
  return data::read_manifests(files, data::media_roots(config));
}

/// data.manifest, cut to data.max_utterances.
data::Manifest first_of_lists(const config::DataConfig& config) {
  auto manifest = read_lists(config.manifest, "data.manifest", config);
  const auto limit = static_cast<std::size_t>(config.max_utterances.value_or(0));
  if (limit > 0 && manifest.utterances.size() > limit) manifest.utterances.resize(limit);
  return manifest;
}

/// `key` names the setting that asks for `hours`; without them all of the manifest is used.
data::Manifest cut_to_hours(data::Manifest manifest, const std::optional<double>& hours,
                            const std::string& key) {
  if (!hours) return manifest;
  auto subset = data::subset_of_hours(manifest, *hours, key);
  if (subset.utterances.size() < manifest.utterances.size()) {
    log::warn("{0}={1:g}: {2} of {3} utterances are used; {0}=all takes all", key, *hours,
              subset.utterances.size(), manifest.utterances.size());
  }
  return subset;
}

void warn_of_mixed_grey(const data::Manifest& manifest) {
  if (const auto line = data::tell_mixed_grey(manifest); !line.empty()) log::warn("{}", line);
}

/// As utterances name the list that they stand in.
fs::path origin_of(const std::string& list) { return fs::absolute(list).lexically_normal(); }

std::set<fs::path> pseudo_lists(const config::LabelledDataConfig& config) {
  std::set<fs::path> lists;
  for (const auto& list : config.pseudo_manifest) lists.insert(origin_of(list));
  return lists;
}

/// By the list that an utterance stands in, 1 for one of none.
class Repeats {
 public:
  /// `times` as often as data.list_weights.
  Repeats(const config::DataConfig& config, std::int64_t times) {
    for (std::size_t i = 0; i < config.manifest.size(); ++i) {
      const auto weight = config.list_weights.empty() ? 1 : config.list_weights[i];
      of_list_[origin_of(config.manifest[i])] = weight * times;
    }
  }

  [[nodiscard]] std::int64_t of(const data::Utterance& utterance) const {
    if (utterance.origin.list == nullptr) return 1;
    const auto found = of_list_.find(*utterance.origin.list);
    return found == of_list_.end() ? 1 : found->second;
  }

  /// All clips once, then those again that are shown twice, and so on.
  [[nodiscard]] data::Manifest apply(data::Manifest manifest) const {
    const auto once = manifest.utterances.size();
    for (std::int64_t time = 2, added = 1; added > 0; ++time) {
      added = 0;
      for (std::size_t i = 0; i < once; ++i) {
        if (of(manifest.utterances[i]) < time) continue;
        manifest.utterances.push_back(data::Utterance(manifest.utterances[i]));
        ++added;
      }
    }
    return manifest;
  }

 private:
  std::map<fs::path, std::int64_t> of_list_;
};

bool stands_in(const std::set<fs::path>& lists, const data::Utterance& utterance) {
  return utterance.origin.list != nullptr && lists.contains(*utterance.origin.list);
}

}  // namespace

data::Manifest training_data(const config::PretrainDataConfig& config) {
  auto manifest = cut_to_hours(first_of_lists(config), config.hours, "data.hours");
  warn_of_mixed_grey(manifest);
  return manifest;
}

data::Manifest training_data(const config::LabelledDataConfig& config) {
  auto manifest = first_of_lists(config);
  if (!config.labelled_list.empty())
    manifest = data::subset_of_list(manifest, config.labelled_list);
  manifest = cut_to_hours(std::move(manifest), config.labelled_hours, "data.labelled_hours");
  if (!config.pseudo_manifest.empty()) {
    manifest = data::joined(
        {std::move(manifest), read_lists(config.pseudo_manifest, "data.pseudo_manifest", config)});
  }
  warn_of_mixed_grey(manifest);
  return manifest;
}

data::Manifest with_repeats(data::Manifest manifest, const config::PretrainDataConfig& config) {
  return Repeats(config, /*times=*/1).apply(std::move(manifest));
}

data::Manifest with_repeats(data::Manifest manifest, const config::LabelledDataConfig& config) {
  return Repeats(config, config.labelled_repeats).apply(std::move(manifest));
}

double share_of_labelled(const data::Manifest& manifest, const config::LabelledDataConfig& config) {
  const auto pseudo = pseudo_lists(config);
  std::int64_t frames = 0;
  for (const auto& utterance : manifest.utterances)
    frames += stands_in(pseudo, utterance) ? 0 : utterance.frames;
  return static_cast<double>(frames) / static_cast<double>(manifest.total_frames());
}

data::Manifest held_out_data(const config::DataConfig& config) {
  if (config.valid_manifest.empty()) return {};
  check_exists(config.valid_manifest, "data.valid_manifest");
  return data::read_manifest(config.valid_manifest, data::media_roots(config));
}

data::Manifest test_data(const config::DataConfig& config) {
  data::Manifest all;
  for (const auto& file : config.test_manifest) {
    if (file.empty()) continue;
    check_exists(file, "data.test_manifest");
    auto next = data::read_manifest(file, data::media_roots(config));
    if (all.file.empty()) all.file = next.file;
    std::move(next.utterances.begin(), next.utterances.end(), std::back_inserter(all.utterances));
    all.lists.push_back(next.lists.front());
  }
  return all;
}

void require_input(const config::PretrainConfig& /*config*/, const data::Manifest& manifest) {
  data::require_modalities(manifest, {.video = true, .audio = true}, "raven pretrain");
}

void require_input(const config::FinetuneConfig& config, const data::Manifest& manifest) {
  const bool is_video = config.model.modality == config::Modality::kVideo;
  data::require_modalities(manifest, {.video = is_video, .audio = !is_video},
                           fmt::format("raven finetune with model.modality={}",
                                       config::enum_name(config.model.modality)));
}

void write_vocabulary(const artifacts::RunFolder& folder, const text::Units& units) {
  const auto file = folder.path() / artifacts::kUnitsFile;
  if (folder.has_checkpoints() && fs::exists(file) && read_file(file) != units.text()) {
    throw ConfigError(fmt::format(
        "{}: the run was started with another vocabulary than text.units or text.model "
        "now give, or this file was damaged since; put the vocabulary of the start back "
        "to go on, or choose another run.dir",
        file.string()));
  }
  write_file_atomically(file, units.text());
}

std::string names_of(const config::DataConfig& config) {
  return fmt::format("{}", fmt::join(config.manifest, ", "));
}

std::map<std::string, std::string> facts_of(const data::Manifest& manifest) {
  return {{"utterances", fmt::format("{}", manifest.utterances.size())},
          {"hours", fmt::format("{:.2f}", media::hours(manifest.total_frames()))},
          {"frames_per_epoch", fmt::format("{}", manifest.total_frames())}};
}

}  // namespace raven::train
