// `raven tokenizer` as a shell sees it.
#include <gmock/gmock.h>

#include <filesystem>

#include "raven/core/files.h"
#include "support/shell.h"
#include "support/temporary_folder.h"

namespace raven {
namespace {

using testing::HasSubstr;

class TokenizerCommand : public testing::Test {
 protected:
  ShellResult run(const std::string& arguments) const {
    return shell("cd '" + folder_.path().string() +
                 "' && " RAVEN_BINARY_DIR "/bin/raven tokenizer " + arguments);
  }
  void write(const std::string& name, const std::string& content) const {
    write_file_atomically(folder_.path() / name, content);
  }
  [[nodiscard]] std::string read(const std::string& name) const {
    return read_file(folder_.path() / name);
  }

 private:
  TemporaryFolder folder_;
};

TEST_F(TokenizerCommand, TrainsOnTextAndGoesThereAndBack) {
  write("text.txt", "Place red, at G nine\n\nplace blue; it\xE2\x80\x99s soon\r\n");
  const auto trained = run("train text.txt --out new/chars --kind char");
  EXPECT_EQ(trained.code, 0);
  EXPECT_EQ(trained.output,
            "2 lines, 9 words, 20 units (with blank, unk and eos)\nnew/chars.model\n"
            "new/chars_units.txt\n");
  const auto there = run("encode --model new/chars.model \"it's red\"");
  const auto again =
      run("decode --model new/chars.model --units new/chars_units.txt " + there.output);
  EXPECT_EQ(again.output, "IT'S RED\n");
  EXPECT_EQ(run("encode --model new/chars.model --pieces \"I'S\"").output, "\xE2\x96\x81 I ' S\n");
  EXPECT_EQ(run("encode --model new/chars.model < text.txt | wc -l").output, "3\n");
  const auto bytes = read("new/chars.model");
  EXPECT_EQ(run("train text.txt --out new/chars --kind char").code, 0);
  EXPECT_EQ(read("new/chars.model"), bytes);
}

TEST_F(TokenizerCommand, TrainsOnAManifest) {
  write("manifest.tsv",
        "id\tvideo\taudio\tframes\ttext\na\ta.mp4\ta.wav\t9\tBIN BLUE\nb\tb.mp4\tb.wav\t9\t\n");
  const auto trained = run("train manifest.tsv --out words --kind word 2>&1");
  EXPECT_EQ(trained.code, 0);
  EXPECT_THAT(trained.output, HasSubstr("1 lines without words are left out"));
  EXPECT_EQ(run("encode --model words.model 'BLUE BIN RED'").output.size(),
            std::string("3 2 1\n").size());
}

TEST_F(TokenizerCommand, SaysWhatIsWrong) {
  write("text.txt", "ONE TWO\n");
  write("latin1.txt", "ONE\nCAF\xC9\n");
  write("empty.txt", "\n ,\n");
  write("list.csv", "lrs3,a.avi,10,2 3\n");
  const auto fails = [this](const std::string& arguments, int code) {
    const auto result = run(arguments + " 2>&1");
    EXPECT_EQ(result.code, code) << arguments;
    return result.output;
  };
  EXPECT_THAT(fails("train text.txt --out x --size 500", 2),
              HasSubstr("a vocabulary of 500 is too large for this text, expected at most "));
  EXPECT_THAT(fails("train empty.txt --out x --kind char", 2), HasSubstr("there is no text"));
  EXPECT_THAT(fails("train latin1.txt --out x --kind char", 1),
              HasSubstr("latin1.txt:2: is not UTF-8 text"));
  EXPECT_THAT(fails("train list.csv --out x", 2), HasSubstr("holds unit ids, no text"));
  EXPECT_THAT(fails("train none.txt --out x", 2), HasSubstr("there is no file none.txt"));
  EXPECT_EQ(run("train text.txt --out chars --kind char > /dev/null").code, 0);
  EXPECT_THAT(fails("decode --model chars.model 2 99", 1),
              HasSubstr("line 1: unit id 99 is outside"));
  EXPECT_THAT(fails("decode --model chars.model 2 two", 1), HasSubstr("'two' is not a unit id"));
  EXPECT_THAT(fails("decode --model text.txt 2", 1),
              HasSubstr("text.txt: is not a SentencePiece model"));
  EXPECT_THAT(fails("decode --units chars_units.txt --model chars.model --frob 2", 2),
              HasSubstr("--frob"));
  EXPECT_THAT(fails("encode A", 2), HasSubstr("neither a units file nor a tokenizer model"));
  EXPECT_FALSE(std::filesystem::exists("x.model"));
}

}  // namespace
}  // namespace raven
