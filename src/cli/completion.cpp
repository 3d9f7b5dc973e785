#include "cli/completion.h"

#include <spdlog/fmt/fmt.h>

#include <cstdio>

#include "cli/commands.h"
#include "raven/core/error.h"

namespace raven::cli {
namespace {

// A command without children, with the words that lead to it: {"config", "show"}.
struct Leaf {
  std::vector<std::string> words;
  const Command* command;
};

std::vector<Leaf> leaves_of(const std::vector<Command>& commands) {
  std::vector<Leaf> leaves;
  for (const Command& command : commands) {
    if (command.children.empty()) leaves.push_back({{command.name}, &command});
    for (const Command& child : command.children)
      leaves.push_back({{command.name, child.name}, &child});
  }
  return leaves;
}

std::string names_of(const std::vector<Command>& commands) {
  std::vector<std::string> names;
  for (const Command& command : commands) names.push_back(command.name);
  return fmt::format("{}", fmt::join(names, " "));
}

std::string option_names(const Command& command) {
  std::vector<std::string> names;
  for (const Option& option : all_options(command)) names.push_back(option.name);
  return fmt::format("{}", fmt::join(names, " "));
}

// Words that may stand without a dash: choices of positionals, and keys to override.
std::string free_words(const Command& command) {
  std::vector<std::string> words;
  for (const Positional& positional : command.positionals) {
    words.insert(words.end(), positional.choices.begin(), positional.choices.end());
  }
  for (const std::string& key : command.config_keys) words.push_back(key + "=");
  return fmt::format("{}", fmt::join(words, " "));
}

// A text between single quotes; a quote inside ends them, stands escaped, and opens them again.
std::string shell_quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

std::string bash_values(const Command& command) {
  std::string cases;
  for (const Option& option : all_options(command)) {
    if (option.choices.empty()) continue;
    cases += fmt::format("        {}) COMPREPLY=($(compgen -W '{}' -- \"$word\")); return ;;\n",
                         option.name, fmt::join(option.choices, " "));
  }
  return cases.empty() ? "" : "      case $previous in\n" + cases + "      esac\n";
}

ExitCode run_completion(const Arguments& arguments) {
  const std::string shell = arguments.text("SHELL");
  const std::vector<Command> commands = all_commands();
  if (shell == "bash") fmt::print("{}", bash_completion(commands));
  if (shell == "zsh") fmt::print("{}", zsh_completion(commands));
  if (shell == "fish") fmt::print("{}", fish_completion(commands));
  return ExitCode::kDone;
}

}  // namespace

std::string bash_completion(const std::vector<Command>& commands) {
  std::string text =
      "# bash completion of raven; load it with: source <(raven completion bash)\n"
      "_raven() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
      "  local path=${COMP_WORDS[1]}\n"
      "  COMPREPLY=()\n"
      "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n";
  text += fmt::format(
      "    COMPREPLY=($(compgen -W '{} --help --version' -- \"$word\")); return\n  fi\n",
      names_of(commands));
  text += "  case $path in\n";
  for (const Command& command : commands) {
    if (command.children.empty()) continue;
    text += fmt::format(
        "    {})\n      if [ \"$COMP_CWORD\" -eq 2 ]; then\n"
        "        COMPREPLY=($(compgen -W '{} --help' -- \"$word\")); return\n      fi\n"
        "      path=\"$path ${{COMP_WORDS[2]}}\" ;;\n",
        command.name, names_of(command.children));
  }
  text += "  esac\n  case $path in\n";
  for (const Leaf& leaf : leaves_of(commands)) {
    text += fmt::format("    '{}')\n{}", fmt::join(leaf.words, " "), bash_values(*leaf.command));
    text += fmt::format(
        "      case $word in\n        -*) COMPREPLY=($(compgen -W '{}' -- \"$word\")) ;;\n"
        "        *) COMPREPLY=($(compgen -f -W '{}' -- \"$word\")) ;;\n      esac ;;\n",
        option_names(*leaf.command), free_words(*leaf.command));
  }
  return text +
         "  esac\n"
         "  [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n"
         "  return 0\n"
         "}\n"
         "complete -o filenames -F _raven raven\n";
}

std::string zsh_completion(const std::vector<Command>& commands) {
  const auto described = [](const std::vector<Command>& list) {
    std::string text;
    for (const Command& command : list)
      text += " " + shell_quoted(command.name + ":" + command.summary);
    return text;
  };
  std::string text =
      "#compdef raven\n"
      "# zsh completion of raven; load it with: source <(raven completion zsh)\n"
      "_raven() {\n  local -a found\n  local path=$words[2]\n"
      "  if (( CURRENT == 2 )); then\n";
  text += fmt::format(
      "    found=({})\n    _describe command found\n    return\n  fi\n  case $path in\n",
      described(commands));
  for (const Command& command : commands) {
    if (command.children.empty()) continue;
    text += fmt::format(
        "    {})\n      if (( CURRENT == 3 )); then\n        found=({})\n"
        "        _describe command found\n        return\n      fi\n"
        "      path=\"$path $words[3]\" ;;\n",
        command.name, described(command.children));
  }
  text += "  esac\n  case $path in\n";
  for (const Leaf& leaf : leaves_of(commands)) {
    text += fmt::format("    '{}')\n", fmt::join(leaf.words, " "));
    for (const Option& option : all_options(*leaf.command)) {
      if (option.choices.empty()) continue;
      text +=
          fmt::format("      if [[ $words[CURRENT-1] == {} ]]; then compadd -- {}; return; fi\n",
                      option.name, fmt::join(option.choices, " "));
    }
    text += fmt::format("      if [[ $words[CURRENT] == -* ]]; then compadd -- {}; return; fi\n",
                        option_names(*leaf.command));
    const std::string words = free_words(*leaf.command);
    if (!words.empty()) text += fmt::format("      compadd -S '' -- {}\n", words);
    text += "      _files ;;\n";
  }
  return text +
         "  esac\n}\nif [ \"$funcstack[1]\" = _raven ]; then _raven \"$@\"; else compdef _raven "
         "raven; fi\n";
}

std::string fish_completion(const std::vector<Command>& commands) {
  std::string text = "# fish completion of raven; load it with: raven completion fish | source\n";
  for (const Command& command : commands) {
    text += fmt::format("complete -c raven -f -n __fish_use_subcommand -a {} -d {}\n", command.name,
                        shell_quoted(command.summary));
    for (const Command& child : command.children) {
      text += fmt::format(
          "complete -c raven -f -n '__fish_seen_subcommand_from {}; and not "
          "__fish_seen_subcommand_from {}' -a {} -d {}\n",
          command.name, names_of(command.children), child.name, shell_quoted(child.summary));
    }
  }
  for (const Leaf& leaf : leaves_of(commands)) {
    std::string condition;
    for (const std::string& word : leaf.words) {
      condition += (condition.empty() ? "" : "; and ") + ("__fish_seen_subcommand_from " + word);
    }
    for (const Option& option : all_options(*leaf.command)) {
      text += fmt::format("complete -c raven -n {} -l {} -d {}{}", shell_quoted(condition),
                          option.name.substr(2), shell_quoted(option.meaning),
                          option.value.empty() ? "" : " -r");
      if (!option.choices.empty())
        text += fmt::format(" -f -a '{}'", fmt::join(option.choices, " "));
      text += '\n';
    }
    const std::string words = free_words(*leaf.command);
    if (!words.empty())
      text += fmt::format("complete -c raven -n {} -a '{}'\n", shell_quoted(condition), words);
  }
  return text;
}

Command make_completion_command() {
  return {.name = "completion",
          .summary = "prints a script that completes raven's commands, options and keys in a shell",
          .description = "",
          .positionals = {{.name = "SHELL",
                           .meaning = "shell that will read it",
                           .kind = ValueKind::kText,
                           .choices = {"bash", "zsh", "fish"}}},
          .examples = {{"completion bash > ~/.local/share/bash-completion/completions/raven",
                        "for good, in bash"},
                       {"completion fish | source", "for this session, in fish"}},
          .run = run_completion};
}

}  // namespace raven::cli
