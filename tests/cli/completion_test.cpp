#include "cli/completion.h"

#include <gmock/gmock.h>

#include "cli/commands.h"
#include "raven/core/files.h"
#include "support/shell.h"
#include "support/temporary_folder.h"

namespace raven::cli {
namespace {

using testing::HasSubstr;

// What bash offers for the last of `words`.
std::string offered(const std::string& words, int index) {
  const TemporaryFolder folder;
  const auto script = folder.path() / "raven.bash";
  write_file_atomically(script, bash_completion(all_commands()));
  return shell("bash -c 'cd " + folder.path().string() + "; source " + script.string() +
               "; compopt() { :; }; COMP_WORDS=(" + words + "); COMP_CWORD=" +
               std::to_string(index) + "; _raven; echo \"${COMPREPLY[*]}\"' 2>&1")
      .output;
}

TEST(Completion, BashOffersCommandsOptionsChoicesAndKeys) {
  EXPECT_EQ(offered("raven con", 1), "config\n");
  EXPECT_EQ(offered("raven config di", 2), "diff\n");
  EXPECT_EQ(offered("raven synth --see", 2), "--seed\n");
  EXPECT_EQ(offered("raven synth --kind gr", 3), "grid\n");
  EXPECT_EQ(offered("raven config show mask.pro", 3), "mask.prob=\n");
  EXPECT_EQ(offered("raven completion z", 2), "zsh\n");
}

TEST(Completion, ScriptsParseInTheirShells) {
  const TemporaryFolder folder;
  const auto commands = all_commands();
  const std::pair<std::string, std::string> scripts[] = {{"bash", bash_completion(commands)},
                                                         {"zsh", zsh_completion(commands)},
                                                         {"fish", fish_completion(commands)}};
  for (const auto& [name, text] : scripts) {
    if (!has_program(name)) continue;  // zsh and fish are not everywhere
    const auto file = folder.path() / ("raven." + name);
    write_file_atomically(file, text);
    const auto result = shell(name + " -n " + file.string() + " 2>&1");
    EXPECT_EQ(result.code, 0) << result.output;
    EXPECT_EQ(result.output, "");
  }
}

TEST(Completion, QuotesWhatShellsWouldRead) {
  Command command = {.name = "it", .summary = "the model's $(id) `x`", .description = ""};
  EXPECT_THAT(fish_completion({command}), HasSubstr("-d 'the model'\\''s $(id) `x`'"));
}

}  // namespace
}  // namespace raven::cli
