#include "raven/sweep/shell.h"

#include "support/shell.h"
#include "sweep/sweep_fixture.h"

namespace raven::sweep {
namespace {

using testing::HasSubstr;

const std::vector<std::string> kWords = {
    "a=b", "",     "=cat",   "a b",      "it's",     "$(touch x)", "`id`", "\"",
    "\\",  "a\nb", "*",      "~/a",      "#c",       "a;b & c|d",  "'''",  "\t",
    "!x",  "--%",  "[1, 2]", "{a: 'b'}", "\xC3\xA4", "-n"};

TEST(Shell, ReadsQuotedWordsBackByteByByte) {
  for (const auto& word : kWords) {
    const auto result = shell("printf '%s' " + quoted(word) + " | od -An -tx1 -v | tr -d ' \\n'");
    std::string hex;
    for (const unsigned char c : word) hex += fmt::format("{:02x}", c);
    // printf without operands prints the format: an empty word would show as a missing one.
    EXPECT_EQ(result.output, hex) << word;
  }
}

TEST(Shell, SeesEachWordAsOne) {
  std::string command = "count() { echo $#; }; count";
  for (const auto& word : kWords) command += " " + quoted(word);
  EXPECT_EQ(shell(command).output, std::to_string(kWords.size()) + "\n");
}

TEST(Shell, LeavesPlainWordsReadable) {
  EXPECT_EQ(quoted("run.dir=runs/a-seed_1"), "run.dir=runs/a-seed_1");
  EXPECT_EQ(quoted("widths=[8, 8]"), "'widths=[8, 8]'");
}

class SlurmScript : public Sweeps {
 protected:
  [[nodiscard]] std::string script(const std::string& body, const SlurmOptions& more = {}) const {
    auto options = more;
    options.program = program(body);
    options.working_folder = temporary_.path();
    const auto all =
        runs("runs: {a: 'teacher.audio_weights=it''s $(id).pth', b: }\nseeds: [1, 2]\n");
    return slurm_script(all, options);
  }
};

TEST_F(SlurmScript, StartsTheRunOfItsTask) {
  const auto text = script("pwd\nfor word; do echo \"<$word>\"; done\n");
  EXPECT_THAT(text, HasSubstr("#SBATCH --array=0-3\n"));
  const auto file = temporary_.path() / "array.sh";
  write_file_atomically(file, text);
  const auto task = [&](const std::string& number) {
    return shell("SLURM_ARRAY_TASK_ID=" + number + " bash " + file.string() + " 2>&1");
  };
  const auto second = task("1");
  EXPECT_EQ(second.code, 0);
  EXPECT_EQ(second.output,
            fs::canonical(temporary_.path()).string() +
                "\n<pretrain>\n<data.manifest=a.tsv>\n<teacher.audio_weights=it's $(id).pth>\n"
                "<run.seed=2>\n<run.dir=" +
                (dir() / "a-seed_2").string() + ">\n");
  EXPECT_THAT(task("3").output, HasSubstr("b-seed_2>\n"));
  EXPECT_EQ(task("4").code, 2);
}

TEST_F(SlurmScript, NameAndLimitAreOneDirectiveEach) {
  const auto text = script(
      "", {.job_name = "a b\n#SBATCH --x", .program = {}, .working_folder = {}, .at_once = 2});
  EXPECT_THAT(text, HasSubstr("#SBATCH --job-name=a_b__SBATCH_--x\n"));
  EXPECT_THAT(text, HasSubstr("#SBATCH --array=0-3%2\n"));
}

}  // namespace
}  // namespace raven::sweep
