#include "raven/text/normalise.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "raven/core/random.h"
#include "raven/core/utf8.h"

namespace raven::text {
namespace {

TEST(Normalise, LeavesPublishedTranscriptsAlone) {
  for (const auto* text : {"", "IT'S ALL ABOUT WHAT CAN YOU DO FOR ME", "1960S 3 'EM ANCESTORS'"}) {
    CharacterReport report;
    EXPECT_EQ(normalise(text, &report), text);
    EXPECT_TRUE(report.kept.empty() && report.replaced.empty());
  }
}

TEST(Normalise, WritesUpperCase) {
  EXPECT_EQ(normalise("It's a test"), "IT'S A TEST");
  EXPECT_EQ(
      normalise(
          "\xC3\xA9t\xC3\xA9 \xC5\x93uvre \xD0\xBF\xD1\x91 \xCF\x83\xCF\x82 \xC3\xBF \xC5\xBE"),
      "\xC3\x89T\xC3\x89 \xC5\x92UVRE \xD0\x9F\xD0\x81 \xCE\xA3\xCE\xA3 \xC5\xB8 \xC5\xBD");
}

/// Alphabets with every letter that takes an accent of its own in them.
const std::vector<std::pair<const char*, const char*>> kSmallAndCapital = {
    {"abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
    {"àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿ", "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞŸ"},
    {"āăąćĉċčďđēĕėęěĝğġģĥħĩīĭįĵķĺļľłńņňŋōŏőœŕŗřśŝşšţťŧũūŭůűųŵŷźżž",
     "ĀĂĄĆĈĊČĎĐĒĔĖĘĚĜĞĠĢĤĦĨĪĬĮĴĶĹĻĽŁŃŅŇŊŌŎŐŒŔŖŘŚŜŞŠŢŤŦŨŪŬŮŰŲŴŶŹŻŽ"},
    {"ștefan și țara", "ȘTEFAN ȘI ȚARA"},
    {"ạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹđơư",
     "ẠẢẤẦẨẪẬẮẰẲẴẶẸẺẼẾỀỂỄỆỈỊỌỎỐỒỔỖỘỚỜỞỠỢỤỦỨỪỬỮỰỲỴỶỸĐƠƯ"},
    {"αβγδεζηθικλμνξοπρστυφχψωάέήίόύώϊϋ", "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩΆΈΉΊΌΎΏΪΫ"},
    {"абвгдеёжзийклмнопрстуфхцчшщъыьэюяґєіїўђѓѕјљњћќџ",
     "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯҐЄІЇЎЂЃЅЈЉЊЋЌЏ"},
    {"әғқңөұүһӏ", "ӘҒҚҢӨҰҮҺӀ"},
    {"աբգդ", "ԱԲԳԴ"}};

TEST(Normalise, CapitalsAndSmallLettersAreTheSameWord) {
  for (const auto& [small, capital] : kSmallAndCapital) {
    EXPECT_EQ(normalise(small), capital);
    EXPECT_EQ(normalise(capital), capital);
  }
}

TEST(Normalise, TurkishLettersAreOneI) {
  for (const auto* word : {"ısı", "isi", "ISI", "İSİ", "I\xCC\x87SI", "i\xCC\x87si"}) {
    EXPECT_EQ(normalise(word), "ISI") << word;
  }
  EXPECT_EQ(normalise("IŞIK ışık İstanbul"), "IŞIK IŞIK ISTANBUL");
  EXPECT_EQ(normalise("i\xCC\x87\xCC\x81"), "Í");  // Lithuanian: the dot stays under an accent
  EXPECT_EQ(normalise("ġ Ż"), "Ġ Ż");              // a dot above other letters is one of them
}

TEST(Normalise, OneLetterIsTheSameComposedAndNot) {
  EXPECT_EQ(normalise("cafe\xCC\x81"), "CAFÉ");
  EXPECT_EQ(normalise("e\xCC\x82\xCC\x81 e\xCC\xA3\xCC\x82"), "Ế Ệ");
  EXPECT_EQ(normalise("e\xCC\x82\xCC\xA3"), "Ệ");  // marks in another order
  EXPECT_EQ(normalise("\xCE\xB9\xCC\x88\xCC\x81"), normalise("ΐ"));
  EXPECT_EQ(normalise("\xD0\xB8\xCC\x86\xD1\x96\xCC\x88"), "ЙЇ");
  EXPECT_EQ(normalise("\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB"), "한");
  EXPECT_EQ(normalise("\xE2\x84\xAB"), "Å");  // Angstrom
}

TEST(Normalise, WritesOutWhatOneCapitalCannotStandFor) {
  EXPECT_EQ(normalise("straße STRASSE STRAẞE"), "STRASSE STRASSE STRASSE");
  EXPECT_EQ(normalise("ΌΔΟΣ όδος Οδυσσεύς"), "ΌΔΟΣ ΌΔΟΣ ΟΔΥΣΣΕΎΣ");
  EXPECT_EQ(normalise("ǆep ǅep Ǆep džep"), "DŽEP DŽEP DŽEP DŽEP");
  EXPECT_EQ(normalise("ﬁne ﬂat oﬃce ŉ ĳs"), "FINE FLAT OFFICE 'N IJS");
  EXPECT_EQ(normalise("coŀlegi col·legi"), "COL LEGI COL LEGI");
  EXPECT_EQ(normalise("ﾃ Ａｂｃ ᾳ ᾼ ŀ"), "ﾃ ABC ΑΙ ΑΙ L");
  EXPECT_EQ(normalise("თბილისი ᲗᲑᲘᲚᲘᲡᲘ"), "თბილისი თბილისი");
}

TEST(Normalise, LongRowsOfMarksTakeLittleTime) {
  std::string text = "I";
  for (int i = 0; i < 200000; ++i) text += "\xCC\xA3\xCC\x81\xCC\x87";  // in the wrong order
  const auto once = normalise(text);
  EXPECT_LT(once.size(), text.size());
  EXPECT_EQ(normalise(once), once);
}

TEST(Normalise, KnowsApostrophes) {
  EXPECT_EQ(
      normalise("IT\xE2\x80\x99S IT\xE2\x80\x98S IT\xCA\xBCS IT\xC2\xB4S IT`S IT\xEF\xBC\x87S"),
      "IT'S IT'S IT'S IT'S IT'S IT'S");
}

TEST(Normalise, PunctuationSeparatesWords) {
  CharacterReport report;
  EXPECT_EQ(
      normalise("Twenty-one, U.S.\tand \xC2\xABso\xC2\xBB\xE2\x80\x94on... {LG} <script>", &report),
      "TWENTY ONE U S AND SO ON LG SCRIPT");
  EXPECT_EQ(report.replaced.at('.'), 5);
  EXPECT_EQ(report.replaced.at(0x2014), 1);
  EXPECT_TRUE(report.kept.empty());
  EXPECT_EQ(normalise(" ,.- "), "");
}

TEST(Normalise, KeepsAndCountsOtherCharacters) {
  CharacterReport report;
  EXPECT_EQ(normalise("na\xC3\xAFve \xE6\xBC\xA2 \xFF", &report),
            "NA\xC3\x8FVE \xE6\xBC\xA2 \xEF\xBF\xBD");
  EXPECT_EQ(report.kept, (std::map<char32_t, std::int64_t>{{0xEF, 1}, {0x6F22, 1}, {0xFFFD, 1}}));
  EXPECT_EQ(describe(report.kept),
            "'\xC3\xAF' (U+00EF) 1 times, '\xE6\xBC\xA2' (U+6F22) 1 times, '\xEF\xBF\xBD' (U+FFFD) "
            "1 times");
}

TEST(Normalise, InvisibleCharactersVanish) {
  EXPECT_EQ(normalise("\xEF\xBB\xBFHEL\xC2\xADLO\xE2\x80\x8B"), "HELLO");
}

TEST(Normalise, KeepsTheUnknownUnit) {
  EXPECT_EQ(normalise("THE<unk> <unk> <UNK>"), "THE<unk> <unk> UNK");
}

TEST(Normalise, OneLineWhateverCameIn) {
  EXPECT_EQ(normalise(std::string_view("A\0B\nC\x7F\x1B[31mD", 12)), "A B C 31MD");
  EXPECT_EQ(normalise(std::string(1 << 20, 'a')), std::string(1 << 20, 'A'));
}

TEST(Normalise, IsIdempotentOnAnyBytes) {
  Random random(7);
  const std::vector<std::string> pieces = {"a",
                                           "Z",
                                           "9",
                                           "'",
                                           " ",
                                           "-",
                                           "<unk>",
                                           "<",
                                           ">",
                                           "é",
                                           "ß",
                                           "ǆ",
                                           "ŉ",
                                           "ΐ",
                                           "ᾷ",
                                           "İ",
                                           "ı",
                                           "i",
                                           "ŀ",
                                           "\xCC\x81",
                                           "\xCC\x87",
                                           "\xCC\xA3",
                                           "\xCC\xB8",
                                           "\xCD\x85",
                                           "\xE2\x80\x99",
                                           "\xE2\x80\x8B",
                                           "\xFF",
                                           "\t",
                                           "\n",
                                           "(",
                                           "}"};
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (auto n = random.below(30); n > 0; --n)
      text += pieces[static_cast<std::size_t>(random.below(std::ssize(pieces)))];
    const auto once = normalise(text);
    ASSERT_EQ(normalise(once), once) << printable(text);
    ASSERT_TRUE(is_utf8(once));
    ASSERT_EQ(once.find_first_of("\n\t(){}"), std::string::npos);
  }
}

TEST(Normalise, DescribesTheMostFrequentFirst) {
  std::map<char32_t, std::int64_t> characters;
  for (char32_t c = 0; c < 12; ++c) characters[0x4E00 + c] = c + 1;
  const auto text = describe(characters);
  EXPECT_EQ(text.substr(0, text.find(',')), "'\xE4\xB8\x8B' (U+4E0B) 12 times");
  EXPECT_TRUE(text.ends_with(" and 4 more")) << text;
}

}  // namespace
}  // namespace raven::text
