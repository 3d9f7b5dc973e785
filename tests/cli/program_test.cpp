// The program itself, as a shell sees it.
#include <gmock/gmock.h>

#include <filesystem>

#include "cli/program.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/weights/safetensors.h"
#include "support/shell.h"
#include "support/temporary_folder.h"

namespace raven::cli {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

ShellResult raven(const std::string& arguments) {
  return shell(std::string(RAVEN_BINARY_DIR) + "/bin/raven " + arguments);
}

// The exit code of a command that throws `error`.
template <class Exception>
int code_of(const Exception& error) {
  const Command command = {
      .name = "it", .summary = "", .description = "", .run = [&](const Arguments&) -> ExitCode {
        throw error;
      }};
  return run_program({command}, {"it", "--log-level", "off"});
}

TEST(Program, TurnsExceptionsIntoExitCodes) {
  EXPECT_EQ(code_of(ConfigError("x")), 2);
  EXPECT_EQ(code_of(SkipBudgetError("x")), 3);
  EXPECT_EQ(code_of(DataError("x")), 1);
  EXPECT_EQ(code_of(SystemError("x")), 1);
  EXPECT_EQ(code_of(std::runtime_error("x")), 1);
  EXPECT_EQ(code_of(std::bad_alloc()), 1);
}

TEST(Program, PassesExitCodesOn) {
  const Command command = {
      .name = "it", .summary = "", .description = "", .run = [](const Arguments&) {
        return ExitCode::kStopped;
      }};
  EXPECT_EQ(run_program({command}, {"it"}), 75);
}

TEST(Program, ShowsHelpInEveryWayThatIsAskedFor) {
  const auto overview = raven("");
  EXPECT_EQ(overview.code, 0);
  EXPECT_THAT(overview.output, HasSubstr("Usage: raven <command>"));
  EXPECT_EQ(raven("--help").output, overview.output);
  EXPECT_EQ(raven("-h").output, overview.output);
  EXPECT_EQ(raven("help").output, overview.output);
  const auto show = raven("config show --help");
  EXPECT_EQ(show.code, 0);
  EXPECT_THAT(show.output, StartsWith("raven config show: "));
  EXPECT_EQ(raven("help config show").output, show.output);
  EXPECT_EQ(raven("config show mask.prob=9 -h").output, show.output);
  EXPECT_THAT(raven("config --help").output, HasSubstr("describe"));
}

TEST(Program, TellsVersions) {
  const auto result = raven("--version");
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.output, StartsWith("raven "));
  EXPECT_THAT(result.output, HasSubstr("LibTorch 2."));
}

TEST(Program, SuggestsTheNearestCommand) {
  const auto result = raven("confg 2>&1");
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(result.output,
            "raven: unknown command 'confg'; did you mean 'config'?; see 'raven --help'\n");
  EXPECT_EQ(
      raven("config shwo 2>&1").output,
      "raven config: unknown command 'shwo'; did you mean 'show'?; see 'raven config --help'\n");
  EXPECT_EQ(raven("--frobnicate 2>&1").code, 2);
  EXPECT_EQ(raven("config 2> /dev/null").code, 2);
  EXPECT_EQ(raven("'' 2>&1").code, 2);
}

TEST(Program, FailsWhenItsOutputIsLost) {
  const auto result = raven("config describe 2>&1 > /dev/full");
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.output, HasSubstr("No space left on device"));
  EXPECT_EQ(raven("--version 2> /dev/null > /dev/full").code, 1);
}

TEST(Program, EndsQuietlyWhenItsReaderGoes) {
  const auto piped = shell("bash -c '" + std::string(RAVEN_BINARY_DIR) +
                           "/bin/raven config describe 2>&1 | true; echo ${PIPESTATUS[0]}'");
  EXPECT_EQ(piped.output, "0\n");
  // More than a pipe holds, so that writing fails on the way and not in the end alone.
  const TemporaryFolder folder;
  const auto file = folder.path() / "many.safetensors";
  weights::TensorFile content;
  for (int i = 0; i < 3000; ++i) {
    content.tensors.emplace_back(fmt::format("{:0>60}", i), torch::zeros({1}));
  }
  weights::write_safetensors(file, content);
  for (const std::string command : {"inspect ", "inspect --json "}) {
    const auto left = shell("bash -c '" + std::string(RAVEN_BINARY_DIR) + "/bin/raven " + command +
                            file.string() + " 2>&1 | head -c 1; echo ${PIPESTATUS[0]}'");
    EXPECT_EQ(left.output.substr(1), "0\n") << command;
  }
}

TEST(Program, ShowsResolvedConfigurations) {
  const auto shown = raven("config show --config lrs3.yaml optimizer.lr=1e-3");
  EXPECT_EQ(shown.code, 0);
  EXPECT_THAT(shown.output, HasSubstr("optimizer:\n  lr: 0.001\n"));
  const TemporaryFolder folder;
  write_file_atomically(folder.path() / "resolved.yaml", shown.output);
  EXPECT_EQ(raven("config show --config " + (folder.path() / "resolved.yaml").string()).output,
            shown.output);
}

TEST(Program, ComparesConfigurations) {
  EXPECT_EQ(raven("config diff lrs3 ablations/a4_mask_prob_0.4").output,
            "run.dir: runs/lrs3 -> runs/a4_mask_prob_0.4\nmask.prob: 0.2 -> 0.4\n");
}

TEST(Program, ChecksConfigurations) {
  EXPECT_EQ(raven("config check --keys --config lrs3.yaml").output, "lrs3.yaml: fine\n");
  const auto wrong = raven("config check --config lrs3.yaml mask.prob=1.4 2>&1");
  EXPECT_EQ(wrong.code, 2);
  EXPECT_EQ(
      wrong.output,
      "command line: mask.prob=1.4, expected a number, a value in [0, 1] (how much is masked, see "
      "sampler; 0: nothing, losses must then cover all frames)\n");
  EXPECT_EQ(raven("config check --config lsr3.yaml 2> /dev/null").code, 2);
  EXPECT_THAT(raven("config check --config lsr3.yaml 2>&1").output,
              HasSubstr("did you mean 'lrs3.yaml'?"));
  EXPECT_THAT(raven("config check 2>&1").output, HasSubstr("run.dir must be given"));
}

TEST(Program, AFileLaidOverThatChangesNothingIsNamed) {
  const std::string check = "config check --keys --config ";
  EXPECT_THAT(raven(check + "lrs3 over=ablations/a4_mask_prob_0.4 mask.prob=0.2 2>&1").output,
              HasSubstr("over=ablations/a4_mask_prob_0.4 changes nothing"));
  EXPECT_EQ(raven(check + "lrs3 over=ablations/a4_mask_prob_0.4 2>&1").output, "lrs3: fine\n");
  EXPECT_THAT(raven(check + "ablations/a4_mask_prob_0.4 over=lrs3 2>&1").output,
              HasSubstr("--config lrs3 over=ablations/a4_mask_prob_0.4 does the reverse"));
}

TEST(Program, StartsRavenSynthBesideItOrOnThePath) {
  // A copy of raven without a neighbour finds the one on PATH.
  const TemporaryFolder folder;
  const auto bin = folder.path() / "bin", path = folder.path() / "path dir";
  std::filesystem::create_directories(bin);
  std::filesystem::create_directories(path);
  std::filesystem::copy_file(std::string(RAVEN_BINARY_DIR) + "/bin/raven", bin / "raven");
  const std::string call = "PATH='" + path.string() + "':/usr/bin:/bin " + (bin / "raven").string();
  const auto absent = shell(call + " synth --out x 2>&1");
  EXPECT_EQ(absent.code, 2);
  EXPECT_THAT(absent.output, HasSubstr("raven-synth lies neither beside raven nor on PATH"));

  const auto script = [](const std::filesystem::path& file, const std::string& name) {
    write_file_atomically(file,
                          "#!/bin/sh\nfor word; do echo \"" + name + " $word\"; done\nexit 7\n");
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  };
  script(path / "raven-synth", "path");
  const auto on_path = shell(call + " synth --out 'a b;$(id)' -x");
  EXPECT_EQ(on_path.code, 7);
  EXPECT_EQ(on_path.output, "path --out\npath a b;$(id)\npath -x\n");
  script(bin / "raven-synth", "beside");
  EXPECT_EQ(shell(call + " synth x").output, "beside x\n");
}

}  // namespace
}  // namespace raven::cli
