#include <spdlog/fmt/fmt.h>

#include <cstdio>

#include "cli/commands.h"
#include "cli/help.h"

namespace raven::cli {
namespace {

// Text as roff takes it: no escapes, no hyphens turned into dashes, no line that looks like a
// request.
std::string roff(const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool line_start = i == 0 || text[i - 1] == '\n';
    if (line_start && (text[i] == '.' || text[i] == '\'')) result += "\\&";
    if (text[i] == '\\') {
      result += "\\e";
    } else if (text[i] == '-') {
      result += "\\-";
    } else {
      result += text[i];
    }
  }
  return result;
}

std::string section(const Command& command, const std::string& full_name) {
  std::string text = fmt::format(".SS raven {}\n{}.\n.PP\n.B {}\n", full_name,
                                 roff(command.summary), roff(usage_text(command, full_name)));
  if (!command.description.empty()) text += fmt::format(".PP\n{}\n", roff(command.description));
  for (const Positional& positional : command.positionals) {
    text += fmt::format(".TP\n.I {}\n{}\n", roff(positional.name), roff(positional.meaning));
  }
  for (const Option& option : command.options) {
    text += fmt::format(
        ".TP\n.B {}{}{}\n{}{}\n", roff(option.name), option.value.empty() ? "" : " ",
        roff(option.value), roff(option.meaning),
        option.choices.empty() ? "" : fmt::format("; one of: {}", fmt::join(option.choices, ", ")));
  }
  for (const Example& example : command.examples) {
    text += fmt::format(".PP\n{}:\n.PP\n.RS\nraven {}\n.RE\n", roff(example.meaning),
                        roff(example.command));
  }
  return text;
}

ExitCode run(const Arguments& arguments) {
  const std::vector<Command> commands = all_commands();
  fmt::print("{}", arguments.flag("--markdown") ? markdown_text(commands) : man_page(commands));
  return ExitCode::kDone;
}

}  // namespace

std::string man_page(const std::vector<Command>& commands) {
  std::string text = fmt::format(
      ".TH RAVEN 1 \"\" \"raven {}\" \"User commands\"\n.SH NAME\n"
      "raven \\- speech representations from raw audio\\-visual data\n"
      ".SH SYNOPSIS\n.B raven\n.I command\n[options] [key.path=value ...]\n"
      ".SH DESCRIPTION\nSelf\\-supervised pre\\-training on talking faces (RAVEn, BRAVEn).\n.SH "
      "COMMANDS\n",
      RAVEN_VERSION);
  for (const Command& command : commands) {
    if (command.children.empty()) text += section(command, command.name);
    for (const Command& child : command.children)
      text += section(child, command.name + " " + child.name);
  }
  text += ".SH OPTIONS OF EVERY COMMAND\n";
  for (const Option& option : all_options(Command{.name = "", .summary = "", .description = ""})) {
    text += fmt::format(".TP\n.B {} {}\n{}\n", roff(option.name), roff(option.value),
                        roff(option.meaning));
  }
  text +=
      ".SH CONFIGURATION\n"
      "Commands with a configuration take\n.BR \\-\\-config \" FILE\"\nand\n.IR key.path=value ,\n"
      "which changes one key; +key.path=value sets one that no file sets, ~key.path goes back to "
      "the\n"
      "default. Keys are described by\n.BR \"raven config describe\" .\n"
      ".SH ENVIRONMENT\n.TP\n.B RAVEN_CONFIGS\nfolder in which bare names of configurations are "
      "looked up first\n"
      ".SH EXIT STATUS\n";
  for (const auto& [code, meaning] : exit_code_meanings()) {
    text += fmt::format(".TP\n.B {}\n{}\n", code, roff(meaning));
  }
  return text;
}

Command make_man_command() {
  return {.name = "man",
          .summary = "prints the manual page",
          .description = "",
          .options = {{.name = "--markdown", .value = "", .meaning = "as docs/cli.md instead"}},
          .examples = {{"man | man -l -", "read it"},
                       {"man > ~/.local/share/man/man1/raven.1", "install it"}},
          .run = run};
}

}  // namespace raven::cli
