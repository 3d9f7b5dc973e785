#include "raven/data/subset.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <array>
#include <map>
#include <set>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "support/temporary_folder.h"

namespace raven::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Manifest manifest_of(std::int64_t count) {
  Manifest manifest{.file = "a.tsv", .utterances = {}};
  for (std::int64_t i = 0; i < count; ++i) {
    Utterance utterance;
    utterance.id = "u" + std::to_string(i);
    utterance.frames = 50 + i % 40;
    manifest.utterances.push_back(utterance);
  }
  return manifest;
}

std::vector<std::string> ids(const Manifest& manifest) {
  std::vector<std::string> result;
  for (const auto& utterance : manifest.utterances) result.push_back(utterance.id);
  return result;
}

TEST(Subset, LastsAsLongAsAskedAndNotAnUtteranceMore) {
  const auto subset = subset_of_hours(manifest_of(2000), 0.5, "data.hours");
  EXPECT_GE(subset.total_frames(), 45000);
  EXPECT_LT(subset.total_frames(), 45000 + 90);
}

TEST(Subset, SmallerOnesLieInLargerOnes) {
  const auto manifest = manifest_of(3000);
  std::set<std::string> before;
  for (const double hours : {0.1, 0.5, 1.0, 2.0}) {
    const auto now = ids(subset_of_hours(manifest, hours, "data.hours"));
    const std::set<std::string> all(now.begin(), now.end());
    EXPECT_GT(all.size(), before.size());
    EXPECT_TRUE(std::includes(all.begin(), all.end(), before.begin(), before.end())) << hours;
    before = all;
  }
}

TEST(Subset, IsNotTheHeadOfTheListAndDoesNotDependOnItsOrder) {
  auto manifest = manifest_of(1000);
  const auto first = ids(subset_of_hours(manifest, 0.1, "data.hours"));
  EXPECT_NE(first.back(), "u" + std::to_string(first.size() - 1));
  std::reverse(manifest.utterances.begin(), manifest.utterances.end());
  auto second = ids(subset_of_hours(manifest, 0.1, "data.hours"));
  std::reverse(second.begin(), second.end());
  EXPECT_EQ(first, second);
}

TEST(Subset, IsOfAllSpeakers) {
  auto manifest = manifest_of(2000);  // 1.1 hours, a speaker for every hundred in a row
  for (std::size_t i = 0; i < manifest.utterances.size(); ++i)
    manifest.utterances[i].speaker = "s" + std::to_string(i / 100);
  std::map<std::string, std::int64_t> frames_of;
  const auto subset = subset_of_hours(manifest, 0.3, "data.hours");
  for (const auto& utterance : subset.utterances) frames_of[utterance.speaker] += utterance.frames;
  EXPECT_EQ(frames_of.size(), 20U);
  for (const auto& [speaker, frames] : frames_of)
    EXPECT_LT(frames, subset.total_frames() / 10) << speaker;  // a twentieth each, but for chance
}

TEST(Subset, SaysWhenThereIsNotEnough) {
  try {
    subset_of_hours(manifest_of(10), 3, "data.labelled_hours");
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("data.labelled_hours asks for 3"));
  }
}

TEST(Subset, TakesAListOfIds) {
  const TemporaryFolder folder;
  const auto list = folder.path() / "list.txt";
  write_file_atomically(list, "u7\r\n\nu2\nu7\n");
  EXPECT_THAT(ids(subset_of_list(manifest_of(10), list)), ElementsAre("u2", "u7"));
  write_file_atomically(list, "\xEF\xBB\xBFu7\ru2\r");
  EXPECT_THAT(ids(subset_of_list(manifest_of(10), list)), ElementsAre("u2", "u7"));
  write_file_atomically(list, "u2\nu\xE9\n");
  try {
    subset_of_list(manifest_of(10), list);
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("list.txt:2: no utterance 'u%E9' in a.tsv; this is not UTF-8"));
  }
  write_file_atomically(list, "u2\nu99\n");
  try {
    subset_of_list(manifest_of(10), list);
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("list.txt:2: no utterance 'u99'"));
  }
  write_file_atomically(list, std::string("u\0002\0\n\0", 6));
  EXPECT_THROW(subset_of_list(manifest_of(10), list), DataError);
  write_file_atomically(list, "\n");
  EXPECT_THROW(subset_of_list(manifest_of(10), list), ConfigError);
  EXPECT_THROW(subset_of_list(manifest_of(10), folder.path()), ConfigError);
  EXPECT_THROW(subset_of_list(manifest_of(10), folder.path() / "none"), ConfigError);
}

TEST(Subset, AListMayComeThroughAPipe) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  ASSERT_EQ(::write(ends[1], "u7\nu2\n", 6), 6);
  ::close(ends[1]);
  EXPECT_THAT(ids(subset_of_list(manifest_of(10), fmt::format("/dev/fd/{}", ends[0]))),
              ElementsAre("u2", "u7"));
  ::close(ends[0]);
}

TEST(Subset, SpreadsOverTheList) {
  EXPECT_THAT(ids(spread(manifest_of(10), 3)), ElementsAre("u0", "u3", "u6"));
  EXPECT_EQ(ids(spread(manifest_of(3), 10)).size(), 3U);
}

}  // namespace
}  // namespace raven::data
