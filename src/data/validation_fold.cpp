#include "data/validation_fold.h"

#include <algorithm>
#include <map>
#include <utility>

#include "raven/core/files.h"

namespace raven::data {
namespace {

constexpr std::int64_t kOfLrs3 = 1200;      // the published list, all of it in trainval
constexpr std::int64_t kSmallestPart = 10;  // a tenth; of fewer, one

/// Utterances by what stays together: speakers, and clips where speakers are not known or not to
/// be kept together.
class Groups {
 public:
  void add_speaker(const std::string& speaker) { ++counts_[{Kind::kSpeaker, speaker}]; }
  void add_clip(const std::string& clip) { ++counts_[{Kind::kClip, clip}]; }

  /// Takes groups in an order by chance as long as they fit; returns the number of utterances.
  std::int64_t take(std::int64_t wanted, ValidationFold& fold) const {
    using Key = std::pair<Kind, std::string>;
    std::vector<std::pair<std::uint64_t, Key>> lots;
    for (const auto& [key, count] : counts_)
      lots.emplace_back(checksum("validation " + key.second), key);
    std::ranges::sort(lots);
    std::int64_t taken = 0;
    for (const auto& [lot, key] : lots) {
      const auto count = counts_.at(key);
      if (taken + count > wanted) continue;
      taken += count;
      (key.first == Kind::kSpeaker ? fold.speakers : fold.clips).insert(key.second);
    }
    return taken;
  }

 private:
  enum class Kind { kSpeaker, kClip };
  std::map<std::pair<Kind, std::string>, std::int64_t> counts_;
};

bool read_names(const nlohmann::ordered_json& json, std::set<std::string>& names) {
  if (!json.is_array()) return false;
  for (const auto& name : json) {
    if (!name.is_string()) return false;
    names.insert(name.get<std::string>());
  }
  return true;
}

}  // namespace

bool ValidationFold::holds(const Utterance& utterance, const std::string& clip) const {
  if (utterance.subset != from) return false;
  return (!utterance.speaker.empty() && speakers.contains(utterance.speaker)) ||
         clips.contains(clip);
}

nlohmann::ordered_json ValidationFold::to_json() const {
  return {{"from", from},
          {"wanted", wanted},
          {"held-out", held_out},
          {"speakers", speakers},
          {"clips", clips}};
}

std::optional<ValidationFold> ValidationFold::from_json(const nlohmann::ordered_json& json) {
  ValidationFold fold;
  for (const char* key : {"from", "wanted", "held-out", "speakers", "clips"}) {
    if (!json.is_object() || !json.contains(key)) return std::nullopt;
  }
  if (!json.at("from").is_string() || !json.at("wanted").is_number_integer() ||
      !json.at("held-out").is_boolean() || !read_names(json.at("speakers"), fold.speakers) ||
      !read_names(json.at("clips"), fold.clips))
    return std::nullopt;
  fold.from = json.at("from").get<std::string>();
  fold.wanted = json.at("wanted").get<std::int64_t>();
  fold.held_out = json.at("held-out").get<bool>();
  return fold;
}

std::optional<std::string> validation_subset(const std::vector<corpus::SourceClip>& clips) {
  using corpus::Layout;
  const auto has = [&](Layout layout, std::string_view subset) {
    return std::ranges::any_of(clips, [&](const auto& clip) {
      return clip.layout == layout && (subset.empty() || clip.subset == subset);
    });
  };
  if (has(Layout::kLrs3, "trainval")) return "trainval";
  if (has(Layout::kLrs2, "")) return std::nullopt;
  if (has(Layout::kVoxCeleb2, "dev")) return "dev";
  if (has(Layout::kFolder, "") || has(Layout::kGrid, "")) return "";
  return std::nullopt;
}

std::int64_t draw(ValidationFold& fold, const std::vector<Utterance>& utterances,
                  const ClipOf& clip_of) {
  Groups by_speaker, by_clip;
  std::int64_t all = 0;
  for (const auto& utterance : utterances) {
    if (utterance.subset != fold.from) continue;
    ++all;
    const auto clip = clip_of(utterance.id);
    by_clip.add_clip(clip);
    utterance.speaker.empty() ? by_speaker.add_clip(clip)
                              : by_speaker.add_speaker(utterance.speaker);
  }
  const auto most = all < 2 ? 0 : std::max<std::int64_t>(all / kSmallestPart, 1);
  const auto usual = fold.from == "trainval" ? kOfLrs3 : most;
  const auto wanted = std::min(fold.wanted > 0 ? fold.wanted : usual, most);
  auto drawn = fold;
  auto taken = by_speaker.take(wanted, drawn);
  if (2 * taken < wanted) {
    drawn = fold;
    taken = by_clip.take(wanted, drawn);
  }
  if (taken > 0) fold = std::move(drawn);
  return taken;
}

}  // namespace raven::data
