#include "raven/evaluation/nbest_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "support/temporary_folder.h"

namespace raven::evaluation {
namespace {

using testing::HasSubstr;

class NbestListTest : public testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path file() const { return folder_.path() / "nbest.jsonl"; }
  [[nodiscard]] std::string problem(const std::string& content) const {
    write_file_atomically(file(), content);
    try {
      read_nbest(file());
    } catch (const DataError& error) {
      return error.what();
    }
    return "";
  }

  TemporaryFolder folder_;
};

TEST_F(NbestListTest, GivesBackWhatWasWritten) {
  const double none = std::numeric_limits<double>::quiet_NaN();
  write_nbest(file(), {{.id = "a",
                        .alternatives = {{.text = "RED",
                                          .score = -1.5,
                                          .parts = {{"ctc", -2}, {"decoder", -1}},
                                          .units = {3, 9, 9},
                                          .confidence = {0.5, 1, none}},
                                         {.text = "BLUE", .score = -2}}},
                       {.id = "b", .alternatives = {}}});
  const auto lists = read_nbest(file());
  ASSERT_EQ(lists.size(), 2U);
  EXPECT_EQ(lists[0].id, "a");
  ASSERT_EQ(lists[0].alternatives.size(), 2U);
  const auto& best = lists[0].alternatives[0];
  EXPECT_EQ(best.text, "RED");
  EXPECT_EQ(best.score, -1.5);
  EXPECT_EQ(best.parts.at("ctc"), -2);
  EXPECT_EQ(best.units, (std::vector<std::int64_t>{3, 9, 9}));
  EXPECT_EQ(best.confidence[0], 0.5);
  EXPECT_TRUE(std::isnan(best.confidence[2]));
  EXPECT_EQ(lists[0].alternatives[1].text, "BLUE");
  EXPECT_TRUE(lists[1].alternatives.empty());
}

TEST_F(NbestListTest, NamesTheLineThatIsNone) {
  const std::string good =
      R"({"id":"a","nbest":[{"text":"A","score":1,"parts":{},"units":[2],"confidence":[0.5]}]})";
  EXPECT_EQ(problem(good + "\n"), "");
  for (const std::string bad :
       {R"({"id":"b"})", R"([1])", R"({"id":3,"nbest":[]})", "no JSON", R"({"id":"b","nbest":{}})",
        R"({"id":"b","nbest":[{"text":"A"}]})",
        R"({"id":"b","nbest":[{"text":"A","score":"1","parts":{},"units":[],"confidence":[]}]})",
        R"({"id":"b","nbest":[{"text":"A","score":1,"parts":{},"units":[1.5],"confidence":[1]}]})",
        R"({"id":"b","nbest":[{"text":"A","score":1,"parts":{},"units":[1],"confidence":[]}]})",
        R"({"id":"b","nbest":[{"text":"A","score":1,"parts":[],"units":[],"confidence":[]}]})"}) {
    EXPECT_THAT(problem(good + "\n" + bad + "\n"), HasSubstr("nbest.jsonl:2: is no list")) << bad;
  }
  EXPECT_THAT(problem(good + "\n" + good + "\n"), HasSubstr(":2: the id 'a' comes twice"));
  EXPECT_THROW(read_nbest(folder_.path() / "nothing"), ConfigError);
}

}  // namespace
}  // namespace raven::evaluation
