#include "data/preparation_lists.h"

#include <algorithm>
#include <map>
#include <utility>

#include "raven/core/error.h"

namespace raven::data {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTraining = "train";  // the list of plain folders beside kValid
constexpr const char* kValid = "valid";

/// "trainval": the list that utterances of a subset stand in.
std::string list_of(const std::string& subset) { return subset.empty() ? kTraining : subset; }

/// The clip that an utterance is, or is a piece of.
ClipOf clip_of(const PreparationRecord& record) {
  return [&record](const std::string& id) {
    return record.find(id) != nullptr ? id : id.substr(0, id.rfind('_'));
  };
}

}  // namespace

std::optional<ValidationFold> wanted_fold(const PreparationOptions& options,
                                          const std::vector<corpus::SourceClip>& clips,
                                          const PreparationRecord& record) {
  const bool asked = options.hold_out.has_value();
  if (auto fold = record.validation()) {
    if (asked && *options.hold_out != fold->wanted) {
      const auto name = [](std::int64_t n) { return n == 0 ? "auto" : fmt::format("{}", n); };
      throw ConfigError(fmt::format(
          "{}: valid.tsv was drawn with hold-out {}, now it is {}; use the same or another folder",
          options.output.string(), name(fold->wanted), name(*options.hold_out)));
    }
    fold->held_out = fold->held_out || asked;
    return fold;
  }
  const auto from = validation_subset(clips);
  if (!from && asked) {
    throw ConfigError(
        "nothing to hold out from: clips for validation are taken from LRS3's trainval, "
        "VoxCeleb2's dev or a plain folder; LRS2's are in val.tsv");
  }
  if (!from || (!asked && *from != "trainval")) return std::nullopt;
  for (const std::string name : {kValid, kTraining}) {
    const auto file = options.output / (name + ".tsv");
    if (!fs::exists(file) || (name == kTraining && !from->empty())) continue;
    if (!asked) return std::nullopt;
    throw ConfigError(fmt::format(
        "{} is there already and was not made by this preparation; move it away", file.string()));
  }
  return ValidationFold{.from = *from,
                        .wanted = options.hold_out.value_or(0),
                        .held_out = asked,
                        .speakers = {},
                        .clips = {}};
}

std::optional<ValidationFold> kept_fold(std::optional<ValidationFold> fold,
                                        PreparationRecord& record) {
  if (!fold) return fold;
  const auto& before = record.validation();
  if (!before && draw(*fold, record.utterances(), clip_of(record)) == 0) return std::nullopt;
  if (!before || before->held_out != fold->held_out) record.keep(*fold);
  return fold;
}

ValidationList write_lists(const fs::path& output, const PreparationRecord& record,
                           const std::optional<ValidationFold>& fold) {
  auto utterances = record.utterances();
  std::stable_sort(utterances.begin(), utterances.end(), [](const auto& a, const auto& b) {
    const auto shard_of = [](const auto& u) {
      return u.video.empty() ? u.audio.file : u.video.file;
    };
    return shard_of(a) < shard_of(b);  // in the order of the shards' names, whenever they came
  });
  const auto clip = clip_of(record);
  const auto file_of = [&](const std::string& list) { return output / (list + ".tsv"); };
  std::map<std::string, Manifest> lists;
  Manifest valid{.file = file_of(kValid), .utterances = {}};
  for (const auto& utterance : utterances) {
    const bool is_valid = fold && fold->holds(utterance, clip(utterance.id));
    if (is_valid) valid.utterances.push_back(utterance);
    if (is_valid && fold->held_out) continue;
    if (!utterance.subset.empty() || (fold && fold->held_out && fold->from.empty()))
      lists[list_of(utterance.subset)].utterances.push_back(utterance);
  }
  ValidationList told{.utterances = std::ssize(valid.utterances), .from = {}};
  std::vector<Manifest> all;
  if (fold) {
    told.from = list_of(fold->from) + ".tsv";
    told.held_out = fold->held_out;
    told.by_clips = fold->speakers.empty();
    all.push_back(std::move(valid));
  }
  for (auto& [list, manifest] : lists) {
    manifest.file = file_of(list);
    all.push_back(std::move(manifest));
  }
  all.push_back({.file = file_of("manifest"), .utterances = std::move(utterances)});
  write_manifests(all);
  return told;
}

}  // namespace raven::data
