// `raven table`, and `raven config diff` of runs, as a shell sees them.
#include <gmock/gmock.h>

#include "raven/core/files.h"
#include "support/shell.h"
#include "support/temporary_folder.h"

namespace raven {
namespace {

using testing::HasSubstr;
using testing::Not;

class TableCommand : public testing::Test {
 protected:
  void SetUp() override {
    run("a-seed_1", "0.2", 1, "0.10");
    run("a-seed_2", "0.2", 2, "0.20");
    run("b-seed_1", "0.4", 1, "0.30");
  }
  void run(const std::string& name, const std::string& prob, int seed,
           const std::string& probe) const {
    const auto folder = folder_.path() / "masks" / name;
    make_folders(folder);
    const auto write = [&](const char* file, const std::string& text) {
      write_file_atomically(folder / file, text);
    };
    write("config.json", "{\"run.dir\": \"" + name + "\", \"mask.prob\": \"" + prob +
                             "\", \"run.seed\": \"" + std::to_string(seed) + "\"}\n");
    write("config.yaml", "run: {dir: " + name + ", seed: " + std::to_string(seed) +
                             "}\ndata: {manifest: [a.tsv]}\nmask: {prob: " + prob + "}\n");
    write("environment.json", "{\"stage\": \"pretrain\", \"steps\": \"10\"}\n");
    write("metrics.jsonl", "{\"step\": 10, \"probe_r2_video\": " + probe + "}\n");
  }
  [[nodiscard]] ShellResult raven(const std::string& arguments) const {
    return shell("cd '" + folder_.path().string() + "' && " RAVEN_BINARY_DIR "/bin/raven " +
                 arguments);
  }

  TemporaryFolder folder_;
};

TEST_F(TableCommand, TakesAFolderOfRuns) {
  const auto text = raven("table masks").output;
  EXPECT_THAT(text, HasSubstr("run       mask.prob  runs  probe_r2_video\n"
                              "a-seed_*        0.2     2   0.150 "));
  EXPECT_THAT(text, HasSubstr("note: one run alone: b-seed_1"));
  EXPECT_EQ(raven("table masks").code, 0);
}

TEST_F(TableCommand, NotesAreNoPartOfACsv) {
  const auto csv = raven("table masks --csv 2> notes.txt").output;
  EXPECT_EQ(csv,
            "run,mask.prob,runs,done,probe_r2_video mean,probe_r2_video deviation,probe_r2_video "
            "n\na-seed_*,0.2,2,2,0.15000000000000002,0.07071067811865477,2\n"
            "b-seed_1,0.4,1,1,0.3,,1\n");
  EXPECT_THAT(read_file(folder_.path() / "notes.txt"), HasSubstr("one run alone: b-seed_1"));
  EXPECT_THAT(raven("table masks --markdown").output, HasSubstr("| run | mask.prob |"));
  EXPECT_THAT(raven("table masks --latex").output, HasSubstr("\\begin{tabular}"));
  EXPECT_THAT(raven("table masks --csv --latex 2>&1").output, HasSubstr("three forms; give one"));
}

TEST_F(TableCommand, TellsWhatItIsNot) {
  EXPECT_EQ(raven("table none 2> /dev/null").code, 2);
  EXPECT_THAT(raven("table masks --base other 2>&1").output,
              HasSubstr("the base other is none of the 3 runs"));
  EXPECT_THAT(raven("table masks --by none").output,
              HasSubstr("run       mask.prob  run.seed  runs"));
}

TEST_F(TableCommand, ConfigurationsOfRunsAreCompared) {
  EXPECT_EQ(raven("config diff masks/a-seed_1 masks/b-seed_1").output,
            "run.dir: a-seed_1 -> b-seed_1\nmask.prob: 0.2 -> 0.4\n");
  EXPECT_EQ(raven("config diff masks/a-seed_1 masks/a-seed_2 masks/b-seed_1").output,
            "key        masks/a-seed_1  masks/a-seed_2  masks/b-seed_1\n"
            "run.dir          a-seed_1        a-seed_2        b-seed_1\n"
            "run.seed                1               2               1\n"
            "mask.prob             0.2             0.2             0.4\n");
  EXPECT_THAT(raven("config diff masks masks 2>&1").output,
              HasSubstr("masks: is no run's folder: it has no config.yaml"));
}

TEST_F(TableCommand, AReportTakesAFolderOfRunsToo) {
  EXPECT_EQ(raven("report masks --out all.html").output, "all.html\n");
  EXPECT_THAT(read_file(folder_.path() / "all.html"), HasSubstr("<h1>3 runs</h1>"));
}

TEST_F(TableCommand, ConfigCheckLooksForFiles) {
  const auto missing = raven("config check --config masks/a-seed_1/config.yaml 2>&1");
  EXPECT_EQ(missing.code, 2);
  EXPECT_THAT(missing.output, HasSubstr("data.manifest: there is no a.tsv (looked for " +
                                        (folder_.path() / "a.tsv").string()));
  write_file_atomically(folder_.path() / "a.tsv", "");
  EXPECT_EQ(raven("config check --config masks/a-seed_1/config.yaml").output,
            "masks/a-seed_1/config.yaml: fine\n");
}

}  // namespace
}  // namespace raven
