#include "raven/data/statistics.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "raven/core/error.h"
#include "raven/core/utf8.h"
#include "raven/data/grey_kinds.h"
#include "raven/data/labels.h"
#include "raven/data/modality.h"
#include "raven/media/media.h"
#include "raven/text/words.h"

namespace raven::data {
namespace {

constexpr std::size_t kExamples = 3;

/// Counts words of transcripts.
class Texts {
 public:
  void add(std::string text) {
    for (const auto word : text::split_words(text)) {
      ++words_;
      distinct_.emplace(word);
    }
    characters_ += std::ssize(text::split_characters(text));
    all_.push_back(std::move(text));
  }

  void write(ManifestStatistics& statistics) const {
    statistics.words = words_;
    statistics.characters = characters_;
    statistics.distinct_words = std::ssize(distinct_);
    const auto count = std::min(all_.size(), kExamples);
    for (std::size_t k = 0; k < count; ++k)
      statistics.examples.push_back(all_[k * all_.size() / count]);
  }

 private:
  std::int64_t words_ = 0, characters_ = 0;
  std::unordered_set<std::string> distinct_;
  std::vector<std::string> all_;
};

/// Bins that double in width: 0-1 s, 1-2 s, 2-4 s, ...
std::vector<LengthBin> histogram(const std::vector<std::int64_t>& sorted) {
  std::vector<LengthBin> bins;
  LengthBin bin{.from_s = 0, .to_s = 1};
  for (const auto frames : sorted) {
    while (frames >= bin.to_s * media::kFrameRateHz) {
      bins.push_back(bin);
      bin = {.from_s = bin.to_s, .to_s = 2 * bin.to_s};
    }
    ++bin.utterances;
  }
  if (bin.utterances > 0) bins.push_back(bin);
  return bins;
}

nlohmann::ordered_json shares_json(const std::map<std::string, Extent>& shares) {
  auto object = nlohmann::ordered_json::object();
  for (const auto& [name, share] : shares) {
    object[name] = {{"utterances", share.utterances},
                    {"frames", share.frames},
                    {"hours", media::hours(share.frames)}};
  }
  return object;
}

std::string shares_text(const std::string& title, const std::map<std::string, Extent>& shares) {
  std::string out;
  for (const auto& [name, share] : shares) {
    out += fmt::format("{:<12}{:<20}{:>10} utterances {:>10.2f} h\n", title,
                       name.empty() ? "-" : name, share.utterances, media::hours(share.frames));
  }
  return out;
}

/// Of what is said, behind the number of utterances with a transcript.
std::string text_facts(const ManifestStatistics& s) {
  const auto ids = s.unit_ids > 0 ? fmt::format("{} unit ids", s.unit_ids) : std::string();
  if (s.words == 0) return ids.empty() ? "" : fmt::format(" ({}; --units FILE reads them)", ids);
  return fmt::format(" ({} words, {} of them different, {} characters{})", s.words,
                     s.distinct_words, s.characters, ids.empty() ? "" : ", " + ids);
}

}  // namespace

double ManifestStatistics::hours() const { return media::hours(all.frames); }

ManifestStatistics statistics_of(const Manifest& manifest, const text::Units* units) {
  ManifestStatistics statistics;
  std::set<std::string_view> speakers;
  std::set<std::string> shards;
  std::vector<std::int64_t> frames;
  Texts texts;
  for (const auto& utterance : manifest.utterances) {
    frames.push_back(utterance.frames);
    for (auto* share : {&statistics.all, &statistics.subsets[utterance.subset],
                        &statistics.sources[utterance.source]}) {
      ++share->utterances;
      share->frames += utterance.frames;
    }
    if (!utterance.speaker.empty()) speakers.insert(utterance.speaker);
    for (const auto* part : {&utterance.video, &utterance.audio}) {
      if (!part->member.empty()) shards.insert(part->file.string());
    }
    const auto [video, audio] = listed_modalities(utterance);
    statistics.with_video += video ? 1 : 0;
    statistics.with_audio += audio ? 1 : 0;
    if (utterance.text.empty()) continue;
    ++statistics.with_text;
    if (utterance.text_is_units) {
      statistics.unit_ids += std::ssize(text::split_words(utterance.text));
      if (units != nullptr) texts.add(reference_text(utterance, *units));
    } else {
      texts.add(utterance.text);
    }
  }
  statistics.published_grey = grey_kinds(manifest).published;
  texts.write(statistics);
  statistics.speakers = std::ssize(speakers);
  statistics.shards = std::ssize(shards);
  if (frames.empty()) return statistics;
  std::sort(frames.begin(), frames.end());
  statistics.shortest = frames.front();
  statistics.median = frames[frames.size() / 2];
  statistics.longest = frames.back();
  statistics.lengths = histogram(frames);
  return statistics;
}

std::string to_json(const ManifestStatistics& s) {
  auto lengths = nlohmann::ordered_json::array();
  for (const auto& bin : s.lengths)
    lengths.push_back({{"from_s", bin.from_s}, {"to_s", bin.to_s}, {"utterances", bin.utterances}});
  const nlohmann::ordered_json object = {{"utterances", s.all.utterances},
                                         {"frames", s.all.frames},
                                         {"hours", s.hours()},
                                         {"shortest_s", media::seconds(s.shortest)},
                                         {"median_s", media::seconds(s.median)},
                                         {"longest_s", media::seconds(s.longest)},
                                         {"with_video", s.with_video},
                                         {"with_audio", s.with_audio},
                                         {"published_grey", s.published_grey},
                                         {"speakers", s.speakers},
                                         {"with_text", s.with_text},
                                         {"words", s.words},
                                         {"distinct_words", s.distinct_words},
                                         {"characters", s.characters},
                                         {"unit_ids", s.unit_ids},
                                         {"examples", s.examples},
                                         {"shards", s.shards},
                                         {"subsets", shares_json(s.subsets)},
                                         {"sources", shares_json(s.sources)},
                                         {"lengths", lengths}};
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string to_text(const ManifestStatistics& s) {
  constexpr std::int64_t kWidestBar = 40;
  std::int64_t most = 1;
  for (const auto& bin : s.lengths) most = std::max(most, bin.utterances);
  auto out = fmt::format(
      "utterances  {}\nhours       {:.3f}\nframes      {}\nlength      {:.2f} s shortest, {:.2f} s "
      "median, {:.2f} s longest\n"
      "with video  {}\nwith audio  {}\nspeakers    {}\nwith text   {}{}\nshards      {}\n",
      s.all.utterances, s.hours(), s.all.frames, media::seconds(s.shortest),
      media::seconds(s.median), media::seconds(s.longest), s.with_video, s.with_audio, s.speakers,
      s.with_text, text_facts(s), s.shards);
  if (s.published_grey > 0) out += fmt::format("grey        {} published\n", s.published_grey);
  for (const auto& example : s.examples) out += fmt::format("example     {}\n", printable(example));
  out += shares_text("subset", s.subsets) + shares_text("source", s.sources);
  for (const auto& bin : s.lengths) {
    const auto bar = static_cast<std::size_t>((bin.utterances * kWidestBar + most - 1) / most);
    out += fmt::format("{:>5} to {:<5} s {:>9}  {}\n", bin.from_s, bin.to_s, bin.utterances,
                       std::string(bar, '#'));
  }
  return out;
}

}  // namespace raven::data
