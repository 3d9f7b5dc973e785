#include "cli/help.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

namespace raven::cli {
namespace {

constexpr std::size_t kWidth = 98;  // of a terminal line, in characters

// `text` broken into lines at spaces, each after the first indented; its own line breaks stay.
std::string wrapped(const std::string& text, std::size_t indent) {
  std::string result, line;
  const auto end_line = [&] {
    result += (result.empty() ? "" : "\n" + std::string(indent, ' ')) + line;
    line.clear();
  };
  std::size_t start = 0;
  while (start < text.size()) {
    const auto end = std::min(text.find_first_of(" \n", start), text.size());
    const std::string word = text.substr(start, end - start);
    if (!line.empty() && indent + line.size() + 1 + word.size() > kWidth) end_line();
    line += (line.empty() ? "" : " ") + word;
    if (end < text.size() && text[end] == '\n') end_line();
    start = end + 1;
  }
  end_line();
  return result;
}

std::string row(const std::string& left, const std::string& right, std::size_t column) {
  const std::string gap = left.size() + 4 > column ? "\n" + std::string(column, ' ')
                                                   : std::string(column - 2 - left.size(), ' ');
  return "  " + left + gap + wrapped(right, column) + "\n";
}

std::string option_meaning(const Option& option) {
  std::string text = option.meaning;
  if (!option.choices.empty()) text += fmt::format("; one of: {}", fmt::join(option.choices, ", "));
  if (option.required) text += " (must be given)";
  if (!option.default_value.empty()) text += fmt::format(" (default: {})", option.default_value);
  return text;
}

std::string option_name(const Option& option) {
  return option.value.empty() ? option.name : option.name + " " + option.value;
}

std::string positional_usage(const Positional& positional) {
  const std::string name = positional.name + (positional.repeated ? "..." : "");
  return positional.required ? name : "[" + name + "]";
}

std::string positional_meaning(const Positional& positional) {
  if (positional.choices.empty()) return positional.meaning;
  return fmt::format("{}; one of: {}", positional.meaning, fmt::join(positional.choices, ", "));
}

std::string help_of_group(const Command& command, const std::string& full_name) {
  std::string text = fmt::format("raven {}: {}\n\nUsage: {}\n\n", full_name, command.summary,
                                 usage_text(command, full_name));
  for (const Command& child : command.children) text += row(child.name, child.summary, 14);
  text += fmt::format("\n'raven {} <word> --help' tells more.\n", full_name);
  return text;
}

}  // namespace

std::string usage_text(const Command& command, const std::string& full_name) {
  std::string text = "raven " + full_name;
  if (!command.children.empty()) {
    std::vector<std::string> names;
    for (const Command& child : command.children) names.push_back(child.name);
    return text + fmt::format(" {} ...", fmt::join(names, "|"));
  }
  for (const Positional& positional : command.positionals)
    text += " " + positional_usage(positional);
  for (const Option& option : command.options) {
    if (option.required) text += " " + option_name(option);
  }
  if (!command.config_keys.empty()) text += " [--config FILE] [key.path=value ...]";
  return text + " [options]";
}

std::string overview_text(const std::vector<Command>& commands) {
  std::string text =
      "raven: speech representations from raw audio-visual data (RAVEn, BRAVEn)\n\n"
      "Usage: raven <command> [options] [key.path=value ...]\n\nCommands:\n";
  for (const Command& command : commands) text += row(command.name, command.summary, 14);
  text += "\nOptions:\n";
  text += row("-h, --help", "this text; after a command: its options and examples", 14);
  text += row("--version", "versions of raven and of what it is built from", 14);
  text += "\nExit codes: ";
  for (const auto& [code, meaning] : exit_code_meanings()) {
    text += fmt::format("{}{} {}", code == 0 ? "" : "; ", code, meaning);
  }
  return text + ".\n";
}

std::string help_text(const Command& command, const std::string& full_name) {
  std::string text;
  if (!command.children.empty()) {
    text = help_of_group(command, full_name);
  } else {
    text = fmt::format("raven {}: {}\n\nUsage: {}\n", full_name, command.summary,
                       wrapped(usage_text(command, full_name), 7));
    if (!command.description.empty()) text += "\n" + wrapped(command.description, 0) + "\n";
    if (!command.positionals.empty()) text += "\nArguments:\n";
    for (const Positional& positional : command.positionals) {
      text += row(positional.name, positional_meaning(positional), 24);
    }
    text += "\nOptions:\n";
    for (const Option& option : all_options(command)) {
      text += row(option_name(option), option_meaning(option), 24);
    }
    if (!command.config_keys.empty()) {
      text += row("key.path=value",
                  "changes one key of the configuration; +key.path=value sets one that no file "
                  "sets, ~key.path goes back to the default, over=FILE lays a file over --config's "
                  "(ablations). Keys: raven config describe",
                  24);
    }
  }
  text += "\nExamples:\n";
  for (const Example& example : command.examples) {
    text += fmt::format("  # {}\n  raven {}\n", example.meaning, example.command);
  }
  return text;
}

std::vector<std::pair<int, std::string>> exit_code_meanings() {
  return {{0, "done"},
          {1, "failed"},
          {2, "wrong usage or configuration"},
          {3, "too many unusable data files"},
          {75,
           "stopped by a signal after saving, or another rank or a link was lost: run it again to "
           "go on"},
          {130, "ended at once by a second Ctrl-C; the last checkpoint stands"},
          {143, "ended at once by a second SIGTERM; the last checkpoint stands"}};
}

std::string markdown_text(const std::vector<Command>& commands) {
  std::string text =
      "# Commands\n\nWritten by `raven man --markdown` from the table that `--help` shows; do not "
      "edit.\n";
  const auto section = [&text](const Command& command, const std::string& full_name) {
    text += fmt::format("\n## raven {}\n\n```\n{}```\n", full_name, help_text(command, full_name));
  };
  for (const Command& command : commands) {
    section(command, command.name);
    for (const Command& child : command.children) section(child, command.name + " " + child.name);
  }
  text += "\n## Exit codes\n\n| code | meaning |\n|---|---|\n";
  for (const auto& [code, meaning] : exit_code_meanings())
    text += fmt::format("| {} | {} |\n", code, meaning);
  return text;
}

}  // namespace raven::cli
