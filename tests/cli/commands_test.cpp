// The table of commands, and everything that is generated from it.
#include "cli/commands.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <set>

#include "cli/completion.h"
#include "cli/help.h"
#include "raven/core/files.h"

namespace raven::cli {
namespace {

using testing::HasSubstr;

// Calls `see(command, full name)` for each command that can be run.
template <class See>
void for_each_leaf(const See& see) {
  for (const Command& command : all_commands()) {
    if (command.children.empty()) see(command, command.name);
    for (const Command& child : command.children) see(child, command.name + " " + child.name);
  }
}

TEST(Commands, AreDescribedInFull) {
  std::set<std::string> names;
  for (const Command& command : all_commands()) EXPECT_TRUE(names.insert(command.name).second);
  for_each_leaf([](const Command& command, const std::string& full_name) {
    SCOPED_TRACE(full_name);
    EXPECT_FALSE(command.summary.empty());
    EXPECT_TRUE(command.run != nullptr);
    EXPECT_GE(command.examples.size(), 2U);
    for (const Example& example : command.examples) {
      EXPECT_EQ(example.command.rfind(full_name, 0), 0U) << example.command;
    }
    for (const Option& option : command.options) {
      EXPECT_EQ(option.name.substr(0, 2), "--");
      EXPECT_FALSE(option.meaning.empty()) << option.name;
    }
  });
}

TEST(Commands, ExamplesParse) {
  for_each_leaf([](const Command& command, const std::string& full_name) {
    for (const Example& example : command.examples) {
      std::vector<std::string> words;
      std::istringstream stream(example.command.substr(full_name.size()));
      for (std::string word; stream >> word && word != "|" && word != ">";) {
        words.push_back(word);
      }
      EXPECT_NO_THROW(parse_arguments(command, full_name, words)) << example.command;
    }
  });
}

TEST(Commands, EveryTextHasEveryCommandAndOption) {
  const auto commands = all_commands();
  const std::string overview = overview_text(commands), man = man_page(commands),
                    markdown = markdown_text(commands), bash = bash_completion(commands),
                    zsh = zsh_completion(commands), fish = fish_completion(commands);
  for (const Command& command : commands)
    EXPECT_THAT(overview, HasSubstr("  " + command.name + " "));
  for_each_leaf([&](const Command& command, const std::string& full_name) {
    SCOPED_TRACE(full_name);
    const std::string help = help_text(command, full_name);
    EXPECT_THAT(man, HasSubstr(".SS raven " + full_name + "\n"));
    EXPECT_THAT(markdown, HasSubstr("## raven " + full_name + "\n"));
    EXPECT_THAT(bash, HasSubstr("'" + full_name + "')"));
    EXPECT_THAT(zsh, HasSubstr("'" + full_name + "')"));
    for (const Option& option : command.options) {
      SCOPED_TRACE(option.name);
      EXPECT_THAT(help, HasSubstr("  " + option.name));
      EXPECT_THAT(bash, HasSubstr(option.name));
      EXPECT_THAT(zsh, HasSubstr(option.name));
      EXPECT_THAT(fish, HasSubstr(" -l " + option.name.substr(2) + " "));
      std::string in_roff;
      for (const char c : option.name) in_roff += c == '-' ? std::string("\\-") : std::string(1, c);
      EXPECT_THAT(man, HasSubstr(".B " + in_roff));
    }
    for (const std::string& key : command.config_keys) {
      EXPECT_THAT(bash, HasSubstr(key + "="));
      EXPECT_THAT(fish, HasSubstr(key + "="));
    }
    for (const Example& example : command.examples)
      EXPECT_THAT(help, HasSubstr("raven " + example.command));
  });
}

TEST(Commands, ReferenceIsNotStale) {
  const auto file = std::filesystem::path(RAVEN_SOURCE_DIR) / "docs/cli.md";
  EXPECT_EQ(read_file(file), markdown_text(all_commands()))
      << "write it anew: build/dev/bin/raven man --markdown > docs/cli.md";
}

TEST(Commands, HelpFitsATerminal) {
  for_each_leaf([](const Command& command, const std::string& full_name) {
    std::istringstream lines(help_text(command, full_name));
    bool examples = false;  // which are shown as they are typed
    for (std::string line; std::getline(lines, line);) {
      examples = examples || line == "Examples:";
      if (!examples) {
        EXPECT_LE(line.size(), 100U) << line;
      }
    }
  });
}

}  // namespace
}  // namespace raven::cli
