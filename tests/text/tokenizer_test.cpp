#include "raven/text/tokenizer.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cctype>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/random.h"
#include "raven/text/normalise.h"
#include "raven/text/tokenizer_training.h"
#include "raven/text/words.h"
#include "support/temporary_folder.h"

namespace raven::text {
namespace {

using testing::HasSubstr;
using Ids = std::vector<std::int64_t>;

std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

/// 0 blank, 1 unk, 2 A, 3 AB, 4 B, 5 _, 6 _A, 7 _AB, 8 eos; occurrences in this order.
std::unique_ptr<Tokenizer> tiny(const std::vector<std::int64_t>& counts, UnitCounts rest = {}) {
  const std::string start(kWordStart);
  rest.counts = counts;
  return make_unigram_tokenizer(Units({"A", "AB", "B", start, start + "A", start + "AB"}), rest);
}

TEST(UnigramTokenizer, TakesTheMostProbablePath) {
  // _ABAB: [_AB AB] = log(4/26 * 2/26) = -4.44, [_A B AB] = log(8/26 * 8/26 * 2/26) = -4.92
  EXPECT_EQ(tiny({0, 0, 3, 2, 8, 1, 8, 4, 0})->encode("ABAB"), (Ids{7, 3}));
  // AB never met: log(0.1/26) against A B = log(3/26 * 8/26)
  EXPECT_EQ(tiny({0, 0, 3, 0, 8, 1, 8, 4, 0})->encode("ABAB"), (Ids{7, 2, 4}));
  EXPECT_EQ(tiny({0, 0, 3, 2, 8, 1, 8, 4, 0})->encode("A  BA"), (Ids{6, 5, 4, 2}));
  EXPECT_EQ(tiny({0, 0, 3, 2, 8, 1, 8, 4, 0})->encode(""), Ids());
}

TEST(UnigramTokenizer, TiesGoToTheLongerFirstPiece) {
  const std::string start(kWordStart);
  UnitCounts counts;
  counts.counts = {0, 0, 1, 1, 1, 1, 1, 0};
  // [_3 000 0] and [_3 0 000] hold the same pieces.
  const auto digits = make_unigram_tokenizer(Units({"0", "000", start, start + "3", "5"}), counts);
  EXPECT_EQ(digits->encode("30000"), (Ids{5, 3, 2}));
}

TEST(UnigramTokenizer, UnknownCharactersBecomeOneUnk) {
  const auto tokenizer = tiny({0, 0, 3, 2, 8, 1, 8, 4, 0});
  EXPECT_EQ(tokenizer->encode("A\xC3\x89\xE6\xBC\xA2Z"), (Ids{6, 1}));
  EXPECT_EQ(tokenizer->encode("\xC3\x89"
                              "B"),
            (Ids{5, 1, 4}));
  EXPECT_EQ(tokenizer->encode("<unk> <eos>"), (Ids{5, 1, 5, 1}));
  EXPECT_EQ(tokenizer->encode("\xFF"), (Ids{5, 1}));
}

TEST(UnigramTokenizer, WordsThatWereMetKeepTheirSegmentation) {
  UnitCounts met;
  met.words = {{"AB", {5, 2, 4}}};
  EXPECT_EQ(tiny({0, 0, 3, 2, 8, 1, 8, 4, 0}, met)->encode("AB ABAB"), (Ids{5, 2, 4, 7, 3}));
}

TEST(UnigramTokenizer, LongWordsTakeLinearTime) {
  std::string word;
  for (int i = 0; i < 200000; ++i) word += i % 7 == 0 ? "AB" : "B";
  EXPECT_EQ(tiny({0, 0, 3, 2, 8, 1, 8, 4, 0})
                ->units()
                .detokenise(tiny({0, 0, 3, 2, 8, 1, 8, 4, 0})->encode(word)),
            word);
}

TEST(LabelLists, AreCountedAndTheirWordsRemembered) {
  const std::string start(kWordStart);
  const Units units({"A", "B", start + "A", start});
  const auto counts = count_labels(
      "lrs3,a.avi,10,4 3 5 2\nlrs3,b.avi,10,4 3\r\n\nlrs3,c.avi,9,5 2 3\n"
      "lrs3,d.avi,9,5 2 3\nlrs3,e.avi,9,\n",
      units, "list.csv");
  EXPECT_EQ(counts.counts, (Ids{0, 0, 3, 4, 2, 3, 0}));
  // "AB" stands twice as 4 3 and twice as 5 2 3: a tie, the smaller ids win.
  EXPECT_EQ(counts.words.at("AB"), (Ids{4, 3}));
  EXPECT_EQ(counts.words.at("A"), (Ids{5, 2}));
  EXPECT_EQ(make_unigram_tokenizer(units, counts)->encode("A AB"), (Ids{5, 2, 4, 3}));
}

TEST(LabelLists, RefuseWhatIsNoLabel) {
  const Units units({"A", "B"});
  const auto refused = [&](const std::string& csv) {
    return error_of([&] { count_labels(csv, units, "list.csv"); });
  };
  EXPECT_EQ(refused("a,b,1,2 3\na,b,1,2 9\n"),
            "list.csv:2: unit id 9 is outside the vocabulary, expected 1 to 3");
  EXPECT_THAT(refused("a,b,1,0\n"), HasSubstr("unit id 0 is outside"));
  EXPECT_THAT(refused("a,b,1,-1\n"), HasSubstr("unit id -1 is outside"));
  EXPECT_THAT(refused("a,b,1,4\n"), HasSubstr("unit id 4 is outside"));
  EXPECT_THAT(refused("a,b,1,HELLO\n"), HasSubstr("list.csv:1: label 'HELLO' is not a unit id"));
  EXPECT_THAT(refused("a,b,1\n"), HasSubstr("list.csv:1: expected 'tag,path,frames,label ids'"));
}

TEST(UnitCounts, AreReadOrRefused) {
  const Units units({"A", "B"});
  EXPECT_EQ(parse_unit_counts(R"({"counts": [0, 0, 3, 4, 0]})", units, "c").counts,
            (Ids{0, 0, 3, 4, 0}));
  for (const auto* json : {"", "[1]", "{}", R"({"counts": 3})", R"({"counts": [1, 2]})",
                           R"({"counts": [0, 0, -3, 4, 0]})", R"({"counts": [0, 0, "3", 4, 0]})",
                           R"({"counts": [0, 0, 1e300, 4, 0]})"}) {
    EXPECT_THROW(parse_unit_counts(json, units, "c"), DataError) << json;
  }
}

class SentencePieceTokenizer : public testing::Test {
 protected:
  /// Enough different words for every kind of vocabulary.
  static std::vector<std::string> sentences() {
    const std::vector<std::string> words = {
        "BIN",  "LAY",  "SET",  "BLUE",  "GREEN", "RED",   "WHITE", "AT",  "BY",    "IN",
        "WITH", "NINE", "ZERO", "SEVEN", "IT'S",  "AGAIN", "SOON",  "NOW", "PLEASE"};
    Random random(3);
    std::vector<std::string> lines;
    for (int i = 0; i < 200; ++i) {
      std::string line;
      for (int word = 0; word < 6; ++word) {
        line += (word > 0 ? " " : "") +
                words[static_cast<std::size_t>(random.below(std::ssize(words)))];
      }
      lines.push_back(line);
    }
    return lines;
  }

  static std::unique_ptr<Tokenizer> trained(const std::string& kind, std::int64_t size = 0) {
    return make_sentencepiece_tokenizer(
        train_sentencepiece(sentences(), {.kind = vocabulary_kind(kind), .size = size}), "model");
  }
};

TEST_F(SentencePieceTokenizer, GivesBackWhatItEncodes) {
  for (const auto& [kind, size] : std::vector<std::pair<std::string, std::int64_t>>{
           {"unigram", 40}, {"char", 0}, {"word", 0}}) {
    const auto tokenizer = trained(kind, size);
    if (size > 0) EXPECT_EQ(tokenizer->units().size(), size + 2);
    for (const auto& line : sentences()) {
      const auto ids = tokenizer->encode(line);
      EXPECT_EQ(tokenizer->units().detokenise(ids), line);
      for (const auto id : ids) {
        EXPECT_GT(id, Units::kUnknown);
        EXPECT_LT(id, tokenizer->units().eos());
      }
    }
    EXPECT_EQ(tokenizer->encode(""), Ids());
  }
  EXPECT_EQ(trained("word")->encode("BIN NOW").size(), 2U);
  EXPECT_EQ(trained("char")->encode("BIN NOW").size(), 8U);
}

TEST_F(SentencePieceTokenizer, PiecesNeverCrossWords) {
  const auto tokenizer = trained("unigram", 40);
  const auto& units = tokenizer->units();
  for (std::int64_t id = 2; id < units.eos(); ++id) {
    EXPECT_EQ(units.piece(id).rfind(kWordStart),
              units.piece(id).starts_with(kWordStart) ? 0 : std::string::npos);
  }
  for (const auto& line : sentences()) {
    Ids joined;
    for (const auto word : split_words(line)) {
      const auto ids = tokenizer->encode(word);
      joined.insert(joined.end(), ids.begin(), ids.end());
    }
    EXPECT_EQ(tokenizer->encode(line), joined);
  }
}

TEST_F(SentencePieceTokenizer, TrainingIsRepeatable) {
  for (const auto* kind : {"unigram", "char", "word"}) {
    const TokenizerTraining options{.kind = vocabulary_kind(kind), .size = kind[0] == 'u' ? 40 : 0};
    EXPECT_EQ(train_sentencepiece(sentences(), options), train_sentencepiece(sentences(), options));
  }
}

TEST_F(SentencePieceTokenizer, UnknownCharactersBecomeOneUnk) {
  const auto ids = trained("char")->encode("BI\xC3\x89\xE6\xBC\xA2Q");
  EXPECT_EQ(std::ranges::count(ids, Units::kUnknown), 1);
  EXPECT_EQ(ids.back(), Units::kUnknown);
  EXPECT_EQ(trained("word")->encode("QUEUE"), (Ids{1}));
}

TEST_F(SentencePieceTokenizer, SaysWhichSizesFit) {
  EXPECT_THAT(error_of([] { trained("unigram", 5000); }),
              HasSubstr("a vocabulary of 5000 is too large for this text, expected at most "));
  EXPECT_THAT(error_of([] { trained("unigram", 5); }),
              HasSubstr("a vocabulary of 5 is too small, expected at least "));
  EXPECT_THAT(error_of([] { trained("char", 100); }),
              HasSubstr("a vocabulary of 100 is too large"));
  EXPECT_THAT(error_of([] { trained("word", 100); }),
              HasSubstr("too large for this text, expected at most 20;"));
  EXPECT_EQ(trained("word", 10)->units().size(), 12);
  EXPECT_THROW(vocabulary_kind("bpe"), ConfigError);
  EXPECT_THROW(train_sentencepiece({}, {}), ConfigError);
  EXPECT_THROW(train_sentencepiece({"", ""}, {}), ConfigError);
}

TEST_F(SentencePieceTokenizer, ModelAndUnitsFileMustAgree) {
  const TemporaryFolder folder;
  const auto model = folder.path() / "word.model", units = folder.path() / "units.txt";
  write_file_atomically(model, train_sentencepiece(sentences(), {.kind = VocabularyKind::kWord}));
  const auto alone = make_tokenizer({.units_file = "", .model_file = model});
  write_file_atomically(units, alone->units().text());
  EXPECT_EQ(make_tokenizer({.units_file = units, .model_file = model})->units(), alone->units());
  write_file_atomically(units, Units({"A", "B"}).text());
  EXPECT_THAT(error_of([&] { make_tokenizer({.units_file = units, .model_file = model}); }),
              HasSubstr("do not belong together: 5 units against 22"));
}

/// The sentences with `change` applied to each.
std::vector<std::string> changed(std::vector<std::string> lines,
                                 const std::function<void(std::string&)>& change) {
  std::ranges::for_each(lines, change);
  return lines;
}

void to_small(std::string& line) {
  std::ranges::transform(line, line.begin(), [](unsigned char c) { return std::tolower(c); });
}

TEST_F(SentencePieceTokenizer, ModelsOfWindowsTextAreRead) {
  const auto lines = changed(sentences(), [](std::string& line) { line += "\r"; });
  for (const auto kind : {VocabularyKind::kUnigram, VocabularyKind::kWord}) {
    const auto tokenizer = make_sentencepiece_tokenizer(
        train_sentencepiece(lines, {.kind = kind, .size = kind == VocabularyKind::kWord ? 0 : 40}),
        "model");
    const auto& units = tokenizer->units();
    EXPECT_THAT(units.text(), HasSubstr("<0x0D> "));
    EXPECT_EQ(Units::parse(units.text(), "units.txt"), units);
    const auto ids = tokenizer->encode("BIN BLUE");
    EXPECT_EQ(std::ranges::count(ids, Units::kUnknown), 0);
    EXPECT_EQ(units.detokenise(ids), "BIN BLUE");
  }
}

TEST_F(SentencePieceTokenizer, AVocabularyOfSmallLettersIsMetInThose) {
  const auto small = make_sentencepiece_tokenizer(
      train_sentencepiece(changed(sentences(), to_small), {.size = 40}), "model");
  const auto capital =
      make_sentencepiece_tokenizer(train_sentencepiece(sentences(), {.size = 40}), "model");
  for (const auto& line : sentences()) {
    const auto ids = small->encode(line);
    EXPECT_EQ(normalise(small->units().detokenise(ids)), line);
    EXPECT_EQ(ids.size(), capital->encode(line).size());
  }
}

TEST(Tokenizer, MeetsALetterInTheCaseThatTheVocabularyHas) {
  const auto with = [](const std::vector<std::string>& pieces) {
    const Units units(pieces);
    return make_unigram_tokenizer(units, {.counts = Ids(pieces.size() + 3, 1), .words = {}});
  };
  const std::string start(kWordStart);
  // Most pieces are small: BIN is "bin", its capital piece is for none.
  const auto mostly_small = with({start, start + "bin", "a", "i", "n", "B", "I", "N"});
  EXPECT_EQ(mostly_small->encode("BIN A"), (Ids{3, 2, 4}));
  // Most are capitals: a small letter is met where there is no capital of it.
  EXPECT_EQ(with({start, "B", "I", "N", "\xCE\xAD"})->encode("BIN \xCE\x88"),
            (Ids{2, 3, 4, 5, 2, 6}));
  // Greek: a small sigma at a word's end has a form of its own.
  EXPECT_EQ(with({start, "ς", "σ", "ο"})->encode("ΣΟΣ Σ"), (Ids{2, 4, 5, 3, 2, 4}));
  // Letters without case, and capitals alone, stay what they are.
  EXPECT_EQ(with({start, "B", "'"})->encode("B'"), (Ids{2, 3, 4}));
}

TEST(Tokenizer, NamesInPiecesAreNoLetters) {
  const auto letters = [](const std::vector<std::string>& pieces) {
    return Tokenizer::Letters(Units(pieces));
  };
  EXPECT_EQ(letters({"a", "<0x0D>", "b<0x0D>"}).capital_pieces, 0);
  EXPECT_EQ(letters({"A", "<0x0D>", "<space>"}).small_pieces, 0);
  EXPECT_FALSE(letters({"A", "<0x0D>", "<space>"}).has_small);
  EXPECT_EQ(letters({"<a", "b>", "<", "c<x>D"}).small_pieces, 2);  // what is open is no name
  const auto lines = std::vector<std::string>{"bed\r", "red\r", "bed\r"};
  const auto words = make_sentencepiece_tokenizer(
      train_sentencepiece(lines, {.kind = VocabularyKind::kWord}), "model");
  ASSERT_TRUE(words->units().find(std::string(kWordStart) + "bed<0x0D>"));
  EXPECT_TRUE(words->letters().prefers_small());
}

TEST(MakeTokenizer, SaysInWhichCaseAMixedVocabularyMeetsText) {
  const TemporaryFolder folder;
  const auto units = folder.path() / "units.txt", counts = folder.path() / "counts.json";
  write_file_atomically(counts, R"({"counts": [0, 0, 5, 5, 5, 0]})");
  const auto warning = [&](const std::vector<std::string>& pieces) {
    write_file_atomically(units, Units(pieces).text());
    testing::internal::CaptureStdout();
    make_tokenizer({.units_file = units, .model_file = counts});
    return testing::internal::GetCapturedStdout();
  };
  EXPECT_EQ(warning({"A", "B", "<0x0D>"}), "");
  EXPECT_EQ(warning({"a", "b", "<0x0D>"}), "");
  EXPECT_THAT(
      warning({"a", "b", "C"}),
      HasSubstr("2 of its pieces are in small letters, 1 in capitals; transcripts do not keep "
                "their case, so all text is met in small letters where"));
  EXPECT_THAT(warning({"a", "B", "C"}), HasSubstr("all text is met in capitals where"));
  EXPECT_THAT(warning({"a", "B", "7"}), HasSubstr("all text is met in capitals where"));
}

TEST_F(SentencePieceTokenizer, RefusesWhatIsNoModel) {
  auto model = train_sentencepiece(sentences(), {.kind = VocabularyKind::kWord});
  EXPECT_THROW(make_sentencepiece_tokenizer("", "m"), DataError);
  EXPECT_THROW(make_sentencepiece_tokenizer("no model at all", "m"), DataError);
  EXPECT_THROW(make_sentencepiece_tokenizer(model.substr(0, model.size() / 2 + 1), "m"), DataError);
}

TEST(MakeTokenizer, UnitsAloneDecodeOnly) {
  const TemporaryFolder folder;
  const auto units = folder.path() / "units.txt";
  write_file_atomically(units, Units({"A", "B"}).text());
  const auto tokenizer = make_tokenizer({.units_file = units, .model_file = ""});
  EXPECT_EQ(tokenizer->units().detokenise(Ids{2, 3}), "AB");
  EXPECT_THAT(error_of([&] { (void)tokenizer->encode("AB"); }),
              HasSubstr("units.txt alone cannot"));
}

TEST(MakeTokenizer, SaysWhatIsMissing) {
  const TemporaryFolder folder;
  const auto units = folder.path() / "units.txt", counts = folder.path() / "counts.json";
  write_file_atomically(units, Units({"A", "B"}).text());
  write_file_atomically(counts, R"({"counts": [0, 0, 5, 5, 0]})");
  EXPECT_THROW(make_tokenizer({}), ConfigError);
  EXPECT_THROW(make_tokenizer({.units_file = "/nowhere", .model_file = ""}), ConfigError);
  EXPECT_THROW(make_tokenizer({.units_file = units, .model_file = "/nowhere"}), ConfigError);
  EXPECT_THAT(error_of([&] { make_tokenizer({.units_file = "", .model_file = counts}); }),
              HasSubstr("name that as well"));
  EXPECT_EQ(make_tokenizer({.units_file = units, .model_file = counts})->encode("AB"),
            (Ids{1, 2, 3}));
}

}  // namespace
}  // namespace raven::text
