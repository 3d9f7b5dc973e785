// raven's table of `raven synth` against the options of the program raven-synth.
#include <gmock/gmock.h>

#include "cli/commands.h"
#include "support/shell.h"

namespace raven::cli {
namespace {

using testing::HasSubstr;

TEST(SynthCommand, ListsTheOptionsOfTheProgram) {
  const std::string help = shell(std::string(RAVEN_BINARY_DIR) + "/bin/raven-synth --help").output;
  std::string table;
  for (const Option& option : all_options(make_synth_command())) {
    EXPECT_THAT(help, HasSubstr(option.name));
    table += option.name + " ";
  }
  for (std::size_t at = 0; (at = help.find("\n  --", at)) != std::string::npos; ++at) {
    const std::string name = help.substr(at + 3, help.find_first_of(" ,\n", at + 3) - at - 3);
    if (name != "--version") {
      EXPECT_THAT(table, HasSubstr(name + " "));
    }
  }
}

TEST(SynthCommand, IsFoundBesideRaven) {
  const auto result =
      shell(std::string(RAVEN_BINARY_DIR) + "/bin/raven synth --version; echo code $?");
  EXPECT_THAT(result.output, testing::StartsWith("raven-synth "));
  EXPECT_THAT(result.output, HasSubstr("code 0"));
}

}  // namespace
}  // namespace raven::cli
