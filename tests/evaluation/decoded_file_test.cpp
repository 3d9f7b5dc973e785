#include "evaluation/decoded_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "support/temporary_folder.h"

namespace raven::evaluation {
namespace {

class DecodedFileTest : public testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path path() const { return folder_.path() / "decoded.jsonl"; }
  [[nodiscard]] DecodedFile open() const { return DecodedFile(path(), identity_); }
  /// Content of a finished file of two utterances.
  std::string make() const {
    auto file = open();
    file.add("a", {.hypothesis = "RED \xFF", .score = -1.5, .units = {3, 4}});
    file.add("b", {.hypothesis = "", .score = 0, .units = {}});
    file.finish({.skipped = {{"missing", 2}}, .scoring = "s"});
    return read_file(path());
  }

  TemporaryFolder folder_;
  DecodedFile::Identity identity_ = {
      .parts = {{"noise", "none"}, {"search", "1"}},
      .settings = {{"decode.beam", "1"}, {"decode.ctc_weight", "0.1"}}};
};

TEST_F(DecodedFileTest, GivesBackWhatWasWritten) {
  const auto content = make();
  const auto file = open();
  EXPECT_EQ(file.done().size(), 2U);
  EXPECT_EQ(file.done().at("a").score, -1.5);
  EXPECT_EQ(file.done().at("a").units, (std::vector<std::int64_t>{3, 4}));
  EXPECT_EQ(file.done().at("a").hypothesis, "RED %FF");
  ASSERT_TRUE(file.finished());
  EXPECT_EQ(file.finished()->skipped.at("missing"), 2);
  EXPECT_EQ(file.finished()->scoring, "s");
  EXPECT_EQ(read_file(path()), content);
}

TEST_F(DecodedFileTest, KeepsListsOfHypotheses) {
  {
    auto file = open();
    file.add("a", {.hypothesis = "RED",
                   .score = -1,
                   .units = {3},
                   .nbest = {{.text = "RED",
                              .score = -1,
                              .parts = {{"ctc", -4}},
                              .units = {3},
                              .confidence = {0.25}},
                             {.text = "BLUE", .score = -2}}});
  }
  const auto file = open();
  const auto& list = file.done().at("a").nbest;
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].parts.at("ctc"), -4);
  EXPECT_EQ(list[0].confidence, (std::vector<double>{0.25}));
  EXPECT_EQ(list[1].text, "BLUE");
}

TEST_F(DecodedFileTest, CutAnywhereItKeepsTheWholeLines) {
  const auto content = make();
  for (std::size_t size = 0; size < content.size(); ++size) {
    write_file_atomically(path(), content.substr(0, size));
    auto file = open();
    EXPECT_FALSE(file.finished()) << size;
    const auto lines = std::ranges::count(content.substr(0, size), '\n');
    EXPECT_EQ(std::ssize(file.done()), std::max<std::int64_t>(lines - 1, 0)) << size;
    for (const std::string id : {"a", "b"}) {
      if (!file.done().contains(id))
        file.add(id, id == "a" ? Decoded{.hypothesis = "RED \xFF", .score = -1.5, .units = {3, 4}}
                               : Decoded{});
    }
    file.finish({.skipped = {{"missing", 2}}, .scoring = "s"});
    EXPECT_EQ(read_file(path()), content) << size;
  }
}

TEST_F(DecodedFileTest, OfAnotherSearchIsRefusedOrReplaced) {
  const auto content = make();
  const DecodedFile::Identity other = {
      .parts = {{"noise", "none"}, {"search", "2"}},
      .settings = {{"decode.beam", "40"}, {"decode.ctc_weight", "0.1"}}};
  try {
    DecodedFile(path(), other, OtherResults::kRefuse);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const ConfigError& error) {
    EXPECT_THAT(
        error.what(),
        testing::HasSubstr("decoded with another search (decode.beam 1 there, 40 here); out="));
  }
  EXPECT_EQ(read_file(path()), content);
  EXPECT_EQ(DecodedFile(path(), identity_, OtherResults::kRefuse).done().size(), 2U);
  EXPECT_TRUE(DecodedFile(path(), other, OtherResults::kReplace).done().empty());
  // Nothing was decoded yet: nothing is lost.
  EXPECT_TRUE(DecodedFile(path(), identity_, OtherResults::kRefuse).done().empty());
}

TEST_F(DecodedFileTest, NothingIsThereTwice) {
  const auto content = make();
  const auto end = content.rfind('\n', content.size() - 2) + 1;
  const auto line = content.substr(content.find('\n') + 1);
  const auto utterance = line.substr(0, line.find('\n') + 1);
  write_file_atomically(path(), content.substr(0, end) + utterance + content.substr(end));
  EXPECT_EQ(open().done().size(), 2U);
  EXPECT_EQ(read_file(path()), content);
  {  // decoded again, since another one of its group was missing
    auto file = open();
    file.add("b", {});
  }
  EXPECT_EQ(read_file(path()), content);
  {  // scored anew, in another way
    auto file = open();
    file.finish({.skipped = {{"missing", 2}}, .scoring = "other"});
    file.finish({.skipped = {{"missing", 2}}, .scoring = "s"});
  }
  EXPECT_EQ(read_file(path()), content);
}

TEST_F(DecodedFileTest, WhatIsOfAnotherKindOrDamagedIsDropped) {
  const auto content = make();
  const auto first = content.substr(0, content.find('\n') + 1);
  for (const std::string line :
       {"{}", "[]", "null", "{\"id\": 3, \"hyp\": \"\", \"score\": 0, \"units\": []}",
        "{\"id\": \"x\", \"hyp\": \"\", \"score\": \"0\", \"units\": []}",
        "{\"id\": \"x\", \"hyp\": \"\", \"score\": 0, \"units\": [0.5]}",
        "{\"id\": \"x\", \"hyp\": \"\", \"score\": 0}", "{\"finished\": 1, \"skipped\": {}}",
        "{\"finished\": \"s\", \"skipped\": {\"a\": \"b\"}}"}) {
    write_file_atomically(path(), first + line + "\n" + content.substr(first.size()));
    const auto file = open();
    EXPECT_TRUE(file.done().empty()) << line;
    EXPECT_FALSE(file.finished()) << line;
    EXPECT_EQ(read_file(path()), first) << line;
  }
  for (const std::string other : {"{\"identity\": \"old\"}\n", "{\"identity\": {}}\n", "{}\n"}) {
    write_file_atomically(path(), other + content.substr(first.size()));
    EXPECT_TRUE(open().done().empty()) << other;
  }
}

TEST_F(DecodedFileTest, WhatItCannotHoldIsRefusedNotChanged) {
  auto file = open();
  for (const std::string id : {"\xFF", "caf\xE9", "\xED\xA0\x80"}) {
    EXPECT_THROW(file.add(id, {}), DataError);
  }
  EXPECT_TRUE(open().done().empty());
}

TEST_F(DecodedFileTest, SettingsThatAreNoUtf8StayTheSame) {
  identity_.parts["noise"] = "file caf\xE9.wav";
  const auto content = make();
  EXPECT_EQ(open().done().size(), 2U);
  EXPECT_EQ(read_file(path()), content);
  identity_.parts["noise"] = "file caf\xE8.wav";
  EXPECT_TRUE(open().done().empty());
}

TEST_F(DecodedFileTest, HypothesesOfOtherSettingsAreReplaced) {
  make();
  identity_.parts["search"] = "2";
  EXPECT_TRUE(open().done().empty());
  identity_.parts["search"] = "1";
  EXPECT_TRUE(open().done().empty());
}

}  // namespace
}  // namespace raven::evaluation
