#include "raven/text/units.h"

#include <gmock/gmock.h>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "support/temporary_folder.h"

namespace raven::text {
namespace {

using testing::HasSubstr;

const Units kTiny({"'", "\xE2\x96\x81", "\xE2\x96\x81IT", "S", "<space>"});
constexpr const char* kTinyFile =
    "<unk> 1\n' 2\n\xE2\x96\x81 3\n\xE2\x96\x81IT 4\nS 5\n<space> 6\n";

std::string error_of(const std::string& content) {
  try {
    Units::parse(content, "units.txt");
  } catch (const DataError& error) {
    EXPECT_EQ(error.reason(), "units");
    return error.what();
  }
  return "no error";
}

TEST(Units, AreNumberedAsPublished) {
  EXPECT_EQ(kTiny.size(), 8);
  EXPECT_EQ(kTiny.eos(), 7);
  EXPECT_EQ(kTiny.piece(Units::kBlank), "<blank>");
  EXPECT_EQ(kTiny.piece(Units::kUnknown), "<unk>");
  EXPECT_EQ(kTiny.piece(2), "'");
  EXPECT_EQ(kTiny.piece(7), "<eos>");
  EXPECT_EQ(kTiny.find("S"), 5);
  EXPECT_EQ(kTiny.find("Q"), std::nullopt);
}

TEST(Units, TextAndFileAreTheSame) {
  EXPECT_EQ(kTiny.text(), kTinyFile);
  EXPECT_EQ(Units::parse(kTinyFile, "x"), kTiny);
  const TemporaryFolder folder;
  write_file_atomically(folder.path() / "units.txt", std::string("\xEF\xBB\xBF<unk> 1\r\nA\t2"));
  EXPECT_EQ(Units::read(folder.path() / "units.txt"), Units({"A"}));
}

TEST(Units, HypothesesLoseEveryEos) {
  using Ids = std::vector<std::int64_t>;
  EXPECT_EQ(kTiny.detokenise(Ids{4, 2, 5, 4, 7}), "IT'S IT");
  EXPECT_EQ(kTiny.detokenise_reference(Ids{4, 2, 5, 4, 7}), "IT'S IT<eos>");
  EXPECT_EQ(kTiny.detokenise(Ids{7, 7}), "");
  EXPECT_EQ(kTiny.detokenise(Ids{}), "");
  EXPECT_EQ(kTiny.detokenise(Ids{3, 7, 3}), "");
  EXPECT_EQ(kTiny.detokenise(Ids{5, 6, 5}), "S S");
  EXPECT_EQ(kTiny.detokenise(Ids{5, 3, 3, 5}), "S  S");
  EXPECT_EQ(kTiny.detokenise(Ids{0, 1}), "<blank><unk>");
}

TEST(Units, PiecesOfWhiteSpaceAreWrittenOut) {
  using Ids = std::vector<std::int64_t>;
  EXPECT_EQ(Units::written("DOG"), "DOG");
  EXPECT_EQ(Units::written("DOG\r"), "DOG<0x0D>");
  EXPECT_EQ(Units::written("\xC2\xA0X\x01"), "<0xC2><0xA0>X<0x01>");
  const Units units({"A", Units::written("B\r"), Units::written("\xC2\xA0"), "<0x41>", "<0xC2>"});
  EXPECT_EQ(Units::parse(units.text(), "x"), units);
  EXPECT_EQ(units.detokenise(Ids{2, 3, 2, 4, 2}), "AB A A");
  EXPECT_EQ(units.detokenise(Ids{2, 3}), "AB");
  EXPECT_EQ(units.detokenise(Ids{5, 6, 2}), "<0x41><0xC2>A");  // bytes of text are not ours to read
}

TEST(Units, LinesMayEndInCarriageReturns) {
  EXPECT_EQ(Units::parse("<unk> 1\rA 2\rB 3\r", "x"), Units({"A", "B"}));
}

TEST(Units, RefusesIdsOutsideTheVocabulary) {
  for (const std::int64_t id : {-1L, 8L, 1L << 40}) {
    try {
      (void)kTiny.detokenise(std::vector<std::int64_t>{4, id});
      FAIL() << id;
    } catch (const DataError& error) {
      EXPECT_EQ(error.reason(), "vocabulary");
      EXPECT_THAT(error.what(), HasSubstr("unit id " + std::to_string(id) + " is outside"));
      EXPECT_THAT(error.what(), HasSubstr("expected 0 to 7"));
    }
  }
}

TEST(Units, RefusesHolesAndWrongIndices) {
  EXPECT_EQ(error_of("<unk> 1\nA 2\nB 4\n"),
            "units.txt:3: index 4 leaves a hole, expected 3 (the line's number)");
  EXPECT_THAT(error_of("<unk> 1\nA 2\nB 2\n"), HasSubstr("units.txt:3: index 2 comes twice"));
  EXPECT_THAT(error_of("<unk> 0\nA 1\n"), HasSubstr("units.txt:1: index 0"));
  EXPECT_THAT(error_of("<unk> 1\n\nA 2\n"), HasSubstr("units.txt:2: found ''"));
  EXPECT_THAT(error_of("<unk> 1\nA two\n"), HasSubstr("units.txt:2: 'two' is not an index"));
  EXPECT_THAT(error_of("<unk> 1\nA 2 3\n"), HasSubstr("units.txt:2: '2 3' is not an index"));
  EXPECT_THAT(error_of("<unk> 1\nA 99999999999999999999\n"), HasSubstr("is not an index"));
  EXPECT_THAT(error_of("<unk> 1\nA\n"),
              HasSubstr("units.txt:2: found 'A', expected '<piece> <index>'"));
  EXPECT_THAT(error_of("<unk> 1\n 2\n"), HasSubstr("units.txt:2: found ' 2'"));
}

TEST(Units, RefusesDuplicatesAndReservedPieces) {
  EXPECT_EQ(error_of("<unk> 1\nA 2\nA 3\n"), "units.txt:3: piece 'A' stands already in line 2");
  EXPECT_THAT(error_of("A 1\nB 2\n"),
              HasSubstr("units.txt:1: 'A' is the first piece, expected '<unk>'"));
  EXPECT_THAT(error_of("<unk> 1\n<unk> 2\n"), HasSubstr("units.txt:2: '<unk>' must be the first"));
  EXPECT_THAT(error_of("<unk> 1\n<blank> 2\n"),
              HasSubstr("units.txt:2: piece '<blank>' is reserved"));
  EXPECT_THAT(error_of("<unk> 1\n<eos> 2\n"), HasSubstr("is reserved"));
  EXPECT_THAT(error_of("<unk> 1\nA\xFF 2\n"), HasSubstr("units.txt:2: piece 'A%FF' is not UTF-8"));
  EXPECT_THAT(error_of("<unk> 1\nA\xC2\xA0 2\n"), HasSubstr("holds white space"));
  EXPECT_THAT(error_of("<unk> 1\nA\x01 2\n"), HasSubstr("holds white space"));
  EXPECT_THAT(error_of("<unk> 1\n" + std::string(100000, 'x') + " 3\n"),
              HasSubstr("leaves a hole"));
}

TEST(Units, RefusesUtf16) {
  try {
    Units::parse(std::string("<unk> 1\nA\0 2\n", 13), "units.txt");
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("units.txt:2: holds a NUL byte"));
    EXPECT_EQ(error.reason(), "text");
  }
}

TEST(Units, RefusesEmptyLists) {
  for (const auto* content : {"", "<unk> 1\n", "\xEF\xBB\xBF"})
    EXPECT_THAT(error_of(content), HasSubstr("lists no pieces"));
  EXPECT_THROW(Units::read("/nowhere/units.txt"), ConfigError);
}

TEST(Units, RefusesUnfitPieces) {
  using Pieces = std::vector<std::string>;
  for (const auto& pieces : {Pieces{""}, Pieces{"A", "A"}, Pieces{"A B"}, Pieces{"<unk>"},
                             Pieces{"<eos>"}, Pieces{"\xFF"}, Pieces{"A\n"}}) {
    EXPECT_THROW(Units{pieces}, DataError);
  }
}

}  // namespace
}  // namespace raven::text
