// What a command of `raven` says about itself. Parsing, --help, shell completion, the man page and
// docs/cli.md all come from this table, so they agree.
//
// A command is a file src/cli/<command>.cpp with `Command make_<command>_command();`, one line in
// commands.h and one in commands.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "raven/config/schema.h"
#include "raven/core/interrupt.h"

namespace raven::cli {

enum class ValueKind { kText, kInteger, kNumber, kFile, kFolder };

/// `--name VALUE`, or a switch when `value` is empty.
struct Option {
  std::string name;   // "--out"
  std::string value;  // "DIR"; empty: a switch
  std::string meaning;
  ValueKind kind = ValueKind::kText;
  std::string default_value;  // empty: none
  bool required = false;
  config::Range range = {};               // of kInteger and kNumber
  std::vector<std::string> choices = {};  // of kText; empty: anything
  bool repeated = false;                  // may be given several times, a value each
};

/// An argument without a name, in the order of the table. Only the last may be repeated; of a
/// command with a configuration its words may be mixed with overrides, which are told by their =.
struct Positional {
  std::string name;  // "FOLDER"
  std::string meaning;
  ValueKind kind = ValueKind::kFile;
  bool required = true;
  bool repeated = false;
  std::vector<std::string> choices = {};
};

struct Example {
  std::string command;  // without the leading "raven "
  std::string meaning;
};

/// The arguments of one call, checked against the command's table.
class Arguments {
 public:
  [[nodiscard]] bool given(std::string_view name) const;

  /// Value of an option or positional: as given, else its default, else empty.
  [[nodiscard]] std::string text(std::string_view name) const;
  [[nodiscard]] std::filesystem::path path(std::string_view name) const { return text(name); }
  [[nodiscard]] std::int64_t integer(std::string_view name) const;
  [[nodiscard]] double number(std::string_view name) const;
  /// A switch was given.
  [[nodiscard]] bool flag(std::string_view name) const { return given(name); }
  /// All values of a repeated positional or option.
  [[nodiscard]] std::vector<std::string> list(std::string_view name) const;

  /// `--config FILE`; empty when not given.
  [[nodiscard]] std::filesystem::path config_file() const { return text("--config"); }
  /// The `key.path=value` arguments, in their order.
  [[nodiscard]] std::vector<std::string> overrides() const { return list(kOverrides); }

  /// The unparsed arguments, for commands with passes_arguments.
  static Arguments unparsed(std::vector<std::string> raw);
  /// The arguments as they were typed.
  [[nodiscard]] const std::vector<std::string>& raw() const { return raw_; }

  static constexpr const char* kOverrides = "key.path=value";

 private:
  friend class ArgumentsReader;
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::map<std::string, std::string, std::less<>> defaults_;
  std::vector<std::string> raw_;
};

struct Command {
  std::string name;
  std::string summary;      // one line, no full stop
  std::string description;  // paragraphs, may be empty
  std::vector<Positional> positionals = {};
  std::vector<Option> options = {};
  /// Not empty: the command takes `--config FILE` and overrides of these keys (see keys_of).
  std::vector<std::string> config_keys = {};
  std::vector<Example> examples = {};  // two at least
  std::function<ExitCode(const Arguments&)> run = {};
  /// Words after the command that choose among further commands (`raven config show`); then only
  /// name, summary, description and examples of the outer one matter.
  std::vector<Command> children = {};
  /// The arguments are not parsed but handed on as they are.
  bool passes_arguments = false;
};

/// Every key of a configuration, for Command::config_keys.
template <class Config>
std::vector<std::string> keys_of() {
  Config config;
  std::vector<std::string> keys;
  for (const config::Field& field : config::bind(config).fields) keys.push_back(field.key);
  return keys;
}

/// "a,b" -> a, b; empty parts are left out.
std::vector<std::string> split_at_commas(const std::string& text);

/// The options that every command has (--log-level, --help), and --config where keys are given.
std::vector<Option> all_options(const Command& command);

/// Parses what follows the command's name. Throws ConfigError naming the argument, what was
/// expected and the nearest known option.
Arguments parse_arguments(const Command& command, const std::string& full_name,
                          const std::vector<std::string>& arguments);

}  // namespace raven::cli
