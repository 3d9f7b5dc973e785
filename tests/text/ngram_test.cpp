#include "raven/text/ngram.h"

#include <gmock/gmock.h>

#include <array>
#include <cmath>

#include "raven/core/error.h"

namespace raven::text {
namespace {

using testing::HasSubstr;

constexpr const char* kTrigrams = R"(a comment
\data\
ngram 1=5
ngram 2=3
ngram 3=1

\1-grams:
-99	<s>	-0.5
-1.0	</s>
-0.5	A	-0.25
-1.5	B	-0.125
-2.0	<unk>

\2-grams:
-0.75	<s> A	-0.0625
-0.3	A B	-0.2
-0.9	B </s>

\3-grams:
-0.1	<s> A B

\end\
)";

double log10_prob(const NgramModel& model, const std::vector<std::string>& history,
                  const std::string& word) {
  std::vector<NgramWord> ids;
  for (const auto& one : history) ids.push_back(model.find_or_unknown(one));
  return model.log_prob(ids, model.find_or_unknown(word)) / std::log(10.0);
}

TEST(Ngram, TakesTheLongestListedAndWeighsBackOffs) {
  const auto model = NgramModel::parse_arpa(kTrigrams, "lm.arpa");
  EXPECT_EQ(model.order(), 3);
  EXPECT_EQ(model.num_words(), 5);
  EXPECT_NEAR(log10_prob(model, {"<s>", "A"}, "B"), -0.1, 1e-6);
  EXPECT_NEAR(log10_prob(model, {"A"}, "B"), -0.3, 1e-6);
  EXPECT_NEAR(log10_prob(model, {"B", "A"}, "B"), -0.3, 1e-6);  // B A is no context
  EXPECT_NEAR(log10_prob(model, {"<s>", "A"}, "A"), -0.0625 - 0.25 - 0.5, 1e-6);
  EXPECT_NEAR(log10_prob(model, {"A", "B"}, "</s>"), -0.2 - 0.9, 1e-6);
  EXPECT_NEAR(log10_prob(model, {"A", "<s>", "A"}, "B"), -0.1, 1e-6);  // more than it looks at
  EXPECT_NEAR(log10_prob(model, {}, "A"), -0.5, 1e-6);
  EXPECT_NEAR(log10_prob(model, {"B"}, "NEVER"), -0.125 - 2.0, 1e-6);  // <unk>
}

TEST(Ngram, TellsAllWordsAtOnceAsOneByOne) {
  const auto model = NgramModel::parse_arpa(kTrigrams, "lm.arpa");
  for (const auto& words : std::vector<std::vector<std::string>>{
           {}, {"<s>"}, {"<s>", "A"}, {"B", "A"}, {"A", "B"}, {"NEVER", "A"}}) {
    std::vector<NgramWord> history;
    for (const auto& word : words) history.push_back(model.find_or_unknown(word));
    const auto all = model.log_probs(history);
    ASSERT_EQ(std::ssize(all), model.num_words() + 1);
    for (NgramWord word = 0; word < model.num_words(); ++word) {
      EXPECT_NEAR(all[static_cast<std::size_t>(word)], model.log_prob(history, word), 1e-4)
          << model.word(word);
    }
    EXPECT_NEAR(all.back(), model.log_prob(history, -1), 1e-4);
  }
}

TEST(Ngram, CountsAWordItLacksAsItsRarestOne) {
  const auto model = NgramModel::parse_arpa(
      "\\data\\\nngram 1=3\n\\1-grams:\n-99 <s>\n-0.5 </s>\n-3 A\n\\end\\\n", "lm.arpa");
  EXPECT_EQ(model.find_or_unknown("B"), -1);
  EXPECT_NEAR(log10_prob(model, {"A"}, "B"), -3, 1e-6);
}

TEST(Ngram, IsWrittenAsItIsRead) {
  const auto model = NgramModel::parse_arpa(kTrigrams, "lm.arpa");
  const auto again = NgramModel::parse_arpa(model.arpa(), "again.arpa");
  for (const auto* word : {"A", "B", "</s>", "NEVER"}) {
    for (const auto& history : std::vector<std::vector<std::string>>{
             {}, {"<s>"}, {"<s>", "A"}, {"A"}, {"A", "B"}, {"B"}}) {
      EXPECT_NEAR(log10_prob(model, history, word), log10_prob(again, history, word), 1e-6);
    }
  }
  EXPECT_EQ(again.arpa(), model.arpa());
}

std::string error_of(std::string content) {
  try {
    NgramModel::parse_arpa(content, "lm.arpa");
  } catch (const DataError& error) {
    EXPECT_EQ(error.reason(), "arpa");
    return error.what();
  }
  return "no error";
}

std::string changed(const std::string& from, const std::string& to) {
  std::string content = kTrigrams;
  return content.replace(content.find(from), from.size(), to);
}

TEST(Ngram, SaysWhereAFileIsNotOne) {
  EXPECT_EQ(error_of(""), "lm.arpa:0: no line '\\data\\': not an ARPA file");
  EXPECT_THAT(error_of("some text\n"), HasSubstr("not an ARPA file"));
  EXPECT_EQ(error_of(changed("ngram 2=3", "ngram 3=3")),
            "lm.arpa:4: expected 'ngram 2=<count>', at most 10 orders");
  EXPECT_EQ(error_of(changed("ngram 2=3", "ngram 2=4")), "lm.arpa:19: 3 of 4 2-grams are there");
  EXPECT_THAT(error_of(changed("ngram 2=3", "ngram 2=2")), HasSubstr("expected '\\3-grams:'"));
  EXPECT_EQ(error_of(changed("-1.5\tB", "nan\tB")),
            "lm.arpa:11: expected a logarithm, 1 words and perhaps a back-off weight");
  EXPECT_EQ(error_of(changed("-1.5\tB", "-1.5\tA")), "lm.arpa:11: 'A' comes twice");
  EXPECT_EQ(error_of(changed("-0.9\tB </s>", "-0.9\tA B")),
            "lm.arpa:17: above: an n-gram of 2 ending in 'B' comes twice");
  EXPECT_EQ(error_of(changed("-0.9\tB </s>", "-0.9\tC </s>")),
            "lm.arpa:17: 'C' is not among the words of the file");
  EXPECT_EQ(error_of(changed("<s> A B", "B A B")),
            "lm.arpa:20: the words before the last one are not listed one order below");
  EXPECT_THAT(error_of(changed("\\end\\", "")), HasSubstr("the file ends where '\\end\\'"));
  EXPECT_THAT(error_of("\\data\\\nngram 1=1\n\\1-grams:\n-1 A\n\\end\\\n"),
              HasSubstr("lists no <s> and </s>"));
  EXPECT_THAT(error_of("mmap lm http://kheafield.com/code format version 5\n"),
              HasSubstr("binary of KenLM"));
  EXPECT_THAT(error_of("\x1F\x8B\x08"), HasSubstr("gunzip"));
}

TEST(Ngram, ACountThatNoFileHoldsTakesNoMemory) {
  EXPECT_THAT(error_of("\\data\\\nngram 1=9000000000000000000\n\\1-grams:\n-1 A\n"),
              HasSubstr("1 of 9000000000000000000 1-grams are there"));
}

// Two sentences, A B and A A; every number below is worked out by hand. Pairs: (<s>, A) twice, (A,
// B), (A, A), (A, </s>), (B, </s>) once: the discount of pairs is 4 / (4 + 2 * 1) = 2/3. A and </s>
// follow two different words, B one: that of single words is 1 / (1 + 2 * 2) = 0.2.
TEST(Ngram, KneserNeyByHand) {
  Sentences sentences;
  sentences.add(std::vector<std::int64_t>{2, 3});
  sentences.add(std::vector<std::int64_t>{2, 2});
  const auto model = kneser_ney_bigram(sentences, {"<blank>", "<unk>", "A", "B", "<eos>"});
  const auto probability = [&](const std::vector<std::string>& history, const std::string& word) {
    return std::pow(10, log10_prob(model, history, word));
  };
  const double shared = 0.2 * 3 / 5 / 4;  // over <unk>, A, B, </s>
  const double a = 1.8 / 5 + shared, b = 0.8 / 5 + shared, end = 1.8 / 5 + shared;
  EXPECT_NEAR(probability({}, "A"), a, 1e-6);
  EXPECT_NEAR(probability({}, "B"), b, 1e-6);
  EXPECT_NEAR(probability({}, "<unk>"), shared, 1e-6);
  EXPECT_NEAR(probability({"<s>"}, "A"), (2 - 2. / 3) / 2 + (2. / 3 / 2) * a, 1e-6);
  EXPECT_NEAR(probability({"<s>"}, "B"), (2. / 3 / 2) * b, 1e-6);
  EXPECT_NEAR(probability({"A"}, "B"), (1. / 3) / 3 + (2. / 3) * b, 1e-6);
  EXPECT_NEAR(probability({"B"}, "</s>"), 1. / 3 + (2. / 3) * end, 1e-6);
  for (const auto* before : {"<s>", "A", "B", "<unk>"}) {
    double sum = 0;
    for (const auto* word : {"<unk>", "A", "B", "</s>"}) sum += probability({before}, word);
    EXPECT_NEAR(sum, 1, 1e-6) << before;
  }
}

TEST(Ngram, ABigramNeedsASentence) {
  EXPECT_THROW(kneser_ney_bigram({}, {"<blank>", "<unk>", "A", "<eos>"}), ConfigError);
}

}  // namespace
}  // namespace raven::text
