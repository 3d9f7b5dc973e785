#include "corpus/grid_sentence.h"

#include <gmock/gmock.h>

#include "raven/core/error.h"

namespace raven::corpus {
namespace {

using testing::HasSubstr;

TEST(GridSentence, IsToldByTheName) {
  EXPECT_EQ(grid_sentence("brbk7n"), "bin red by k seven now");
  EXPECT_EQ(grid_sentence("swazzs"), "set white at z zero soon");
  EXPECT_EQ(grid_sentence("lgif1p"), "lay green in f one please");
  EXPECT_EQ(grid_sentence("pbwg9a"), "place blue with g nine again");
  for (const char* name :
       {"brbw7n", "brbk0n", "brbk7", "brbk7nn", "Brbk7n", "xrbk7n", "brbk7z", ""})
    EXPECT_EQ(grid_sentence(name), std::nullopt) << name;
}

TEST(GridAlign, GivesWordsInSeconds) {
  const auto said = parse_align(
      "0 14500 sil\r\n14500 20000 bin\r\n20000 20000 sp\r\n20500 23500 red\r\n"
      "23500 74500 sil\r\n",
      "a.align");
  EXPECT_EQ(said.text, "bin red");
  ASSERT_EQ(said.words.size(), 2U);
  EXPECT_DOUBLE_EQ(said.words[0].start_s, 0.58);
  EXPECT_DOUBLE_EQ(said.words[0].end_s, 0.8);
  EXPECT_EQ(said.words[1].word, "red");
}

TEST(GridAlign, RefusesWhatIsNone) {
  for (const char* text :
       {"0 100 sil\n100 bin\n", "0 100 sil\n200 100 bin\n", "100 200 a\n0 50 b\n",
        "0 100 sil\n0.1 0.2 bin\n", "0 100 a\n-1 100 b\n", "0 1 a\n0 99999999999999 b\n"}) {
    try {
      parse_align(text, "a.align");
      FAIL() << text;
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(),
                  HasSubstr("a.align:2: expected start, end (25,000 units a second)"));
      EXPECT_EQ(error.reason(), "text");
    }
  }
  EXPECT_THROW(parse_align("\xFF\xFE", "a.align"), DataError);
}

}  // namespace
}  // namespace raven::corpus
