#include "raven/train/list_check.h"

#include <nlohmann/json.hpp>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/core/utf8.h"
#include "raven/data/overlap.h"
#include "raven/train/stage_data.h"
#include "raven/weights/model_settings.h"

namespace raven::train {
namespace {

namespace fs = std::filesystem;

/// Without the folders that they lie in: those are of one machine.
std::string described(const data::Manifest& manifest) {
  std::map<const fs::path*, std::int64_t> of_list;  // lists share their name's place
  for (const auto& utterance : manifest.utterances) ++of_list[utterance.origin.list.get()];
  auto lists = nlohmann::ordered_json::array();
  for (const auto& list : manifest.lists) {
    std::int64_t used = 0;
    for (const auto& [origin, count] : of_list) {
      if (origin != nullptr && *origin == list.file) used += count;
    }
    lists.push_back({{"list", as_utf8(list.file.filename().string())},
                     {"clips", list.utterances},
                     {"used", used},
                     {"xxh3", checksum_text(list.checksum)}});
  }
  return lists.dump();
}

std::string line_of(const data::SharedClip& clip, const data::Manifest& here,
                    const data::Manifest& there) {
  const char* what = clip.by == data::SharedBy::kId      ? "id"
                     : clip.by == data::SharedBy::kVideo ? "video"
                                                         : "sound";
  return fmt::format("\n  '{}' ({}): the {} of '{}' ({})", printable(clip.here->id),
                     clip.here->origin.text(here.file), what, printable(clip.there->id),
                     clip.there->origin.text(there.file));
}

std::string examples(const data::Overlap& overlap, const data::Manifest& here,
                     const data::Manifest& there) {
  std::string text;
  for (const auto& clip : overlap.examples) text += line_of(clip, here, there);
  const auto more = overlap.total() - std::ssize(overlap.examples);
  if (more > 0) text += fmt::format("\n  and {} more", more);
  return text;
}

void say_unreadable(const data::Overlap& overlap, const std::string& lists) {
  if (overlap.unreadable == 0) return;
  log::warn("{} clips of {} cannot be read: no more than their ids were compared",
            overlap.unreadable, lists);
}

/// Returns what became of it.
std::string check_test(const data::Manifest& training, const data::Manifest& test,
                       const std::string& key) {
  const auto found = data::overlap(training, test);
  if (found.total() > 0) {
    throw ConfigError(fmt::format(
        "{} of the {} training clips are in data.test_manifest, on which results will be told:{}\n"
        "take them out of {}; with data.check_overlap=false they are trained on all the "
        "same, and the run's record says so",
        found.total(), training.utterances.size(), examples(found, training, test), key));
  }
  say_unreadable(found, training.names() + " and " + test.names());
  if (found.speakers.empty()) return found.speakers_known ? "passed" : "passed, speakers not known";
  constexpr std::size_t kMost = 5;
  auto names = found.speakers;
  names.resize(std::min(names.size(), kMost));
  for (auto& name : names) name = "'" + printable(name) + "'";
  const auto more = found.speakers.size() - names.size();
  log::warn(
      "{} speakers of data.test_manifest are in data.manifest as well ({}{}): results will not be "
      "those on strangers",
      found.speakers.size(), fmt::join(names, ", "),
      more > 0 ? fmt::format(" and {} more", more) : "");
  return fmt::format("passed, {} shared speakers", found.speakers.size());
}

void warn_of_held_out(const data::Manifest& training, const data::Manifest& held_out) {
  const auto found = data::overlap(training, held_out);
  if (found.total() == 0) return;
  log::warn(
      "{} training clips are in data.valid_manifest as well, whose {} clips then tell too little "
      "of others:{}",
      found.total(), held_out.utterances.size(), examples(found, training, held_out));
}

void warn_of_validation_on_test(const data::Manifest& held_out, const data::Manifest& test) {
  const auto found = data::overlap(held_out, test);
  if (found.total() == 0) return;
  log::warn(
      "{} of the {} validation clips are in data.test_manifest: what is chosen by them is chosen "
      "by the test:{}",
      found.total(), held_out.utterances.size(), examples(found, held_out, test));
}

}  // namespace

std::map<std::string, std::string> check_lists(const config::DataConfig& config,
                                               const data::Manifest& training,
                                               const data::Manifest& held_out) {
  std::map<std::string, std::string> card = {{weights::kTrainedOn, described(training)}};
  const bool validates = !held_out.utterances.empty();
  if (validates) card[weights::kValidatedOn] = described(held_out);
  const auto test = test_data(config);
  const bool has_test = !test.utterances.empty();
  if (has_test) card[weights::kTestLists] = described(test);
  if (!config.check_overlap) {
    card[weights::kOverlapCheck] = "off";
    log::warn(
        "data.check_overlap is false: nothing looks whether training, validation and test "
        "lists share clips");
    return card;
  }
  if (has_test) card[weights::kOverlapCheck] = check_test(training, test, "data.manifest");
  if (validates) warn_of_held_out(training, held_out);
  if (validates && has_test) warn_of_validation_on_test(held_out, test);
  return card;
}

void refuse_test_clips(const config::DataConfig& config, const data::Manifest& training,
                       const std::string& key) {
  const auto test = test_data(config);
  if (!test.utterances.empty() && config.check_overlap) check_test(training, test, key);
}

}  // namespace raven::train
