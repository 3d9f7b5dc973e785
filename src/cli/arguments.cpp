#include <spdlog/fmt/fmt.h>

#include <CLI/CLI.hpp>
#include <charconv>

#include "cli/command.h"
#include "raven/config/nearest.h"
#include "raven/core/error.h"
#include "raven/core/home.h"

namespace raven::cli {
namespace {

template <class Number>
Number parse_number(std::string_view name, const std::string& text, const char* expected) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (result.ec != std::errc() || result.ptr != end) {
    throw ConfigError(fmt::format("{} is '{}', expected {}", name, text, expected));
  }
  return value;
}

void check_choice(const std::string& name, const std::string& value,
                  const std::vector<std::string>& choices) {
  if (choices.empty()) return;
  for (const std::string& choice : choices) {
    if (choice == value) return;
  }
  throw ConfigError(fmt::format("{} is '{}', expected one of: {}{}", name, value,
                                fmt::join(choices, ", "), config::did_you_mean(value, choices)));
}

void check_range(const Option& option, double value) {
  if (option.range.contains(value)) return;
  throw ConfigError(fmt::format("{} is {}, expected {} ({})", option.name, value,
                                option.range.text(), option.meaning));
}

void check_value(const Option& option, const std::string& value) {
  check_choice(option.name, value, option.choices);
  if (option.kind == ValueKind::kInteger) {
    check_range(option, static_cast<double>(
                            parse_number<std::int64_t>(option.name, value, "a whole number")));
  } else if (option.kind == ValueKind::kNumber) {
    check_range(option, parse_number<double>(option.name, value, "a number"));
  }
}

}  // namespace

/// Overrides stand among the words of a last positional that may be repeated.
bool shares_words(const Command& command) {
  return !command.config_keys.empty() && !command.positionals.empty() &&
         command.positionals.back().repeated;
}

/// `key.path=value`, `+key.path=value` or `~key.path`; a file of such a name can be given as
/// ./key=value.
bool is_override(const std::string& word) {
  const auto end = word.find_first_of("=/");
  if (end == std::string::npos) return !word.empty() && word.front() == '~';
  return end > 0 && word[end] == '=';
}

/// Fills Arguments by CLI11.
class ArgumentsReader {
 public:
  explicit ArgumentsReader(const Command& command) : command_(command) {
    app_.set_help_flag();  // main prints --help itself, from the table
    app_.allow_extras();
    for (const Option& option : all_options(command)) add(option);
    for (const Positional& positional : command.positionals) add(positional);
    if (!command.config_keys.empty() && !shares_words(command)) {
      add(Positional{
          .name = Arguments::kOverrides, .meaning = "", .required = false, .repeated = true});
    }
  }

  Arguments read(std::vector<std::string> arguments) {
    Arguments result;
    result.raw_ = arguments;
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants it
    try {
      app_.parse(arguments);
    } catch (const CLI::ArgumentMismatch& error) {
      const std::string message = error.what();  // "--out: 1 required ..."
      const std::string name = message.substr(0, message.find(':'));
      throw ConfigError(fmt::format("{} takes one value, once", name));
    } catch (const CLI::ParseError& error) {
      throw ConfigError(error.what());
    }
    refuse_rest();
    for (const auto& [name, option] : options_) {
      if (option->count() > 0)
        result.values_[name] =
            option->get_expected_max() == 0 ? std::vector<std::string>{"true"} : option->results();
    }
    if (shares_words(command_)) take_overrides(result);
    expand_paths(result);
    check(result);
    return result;
  }

 private:
  void add(const Option& option) {
    CLI::Option* added =
        option.value.empty() ? app_.add_flag(option.name) : app_.add_option(option.name);
    if (option.repeated) {
      added->expected(1, CLI::detail::expected_max_vector_size)->allow_extra_args(false);
    } else if (!option.value.empty()) {
      added->expected(1);
    }
    options_[option.name] = added;
  }

  void add(const Positional& positional) {
    CLI::Option* added = app_.add_option("arg" + std::to_string(options_.size()));
    added->expected(1, positional.repeated ? CLI::detail::expected_max_vector_size : 1);
    added->allow_extra_args(positional.repeated);
    options_[positional.name] = added;
  }

  void take_overrides(Arguments& arguments) const {
    const auto found = arguments.values_.find(command_.positionals.back().name);
    if (found == arguments.values_.end()) return;
    auto words = std::move(found->second);
    arguments.values_.erase(found);
    for (auto& word : words) {
      const auto name =
          is_override(word) ? Arguments::kOverrides : command_.positionals.back().name;
      arguments.values_[name].push_back(std::move(word));
    }
  }

  /// A shell leaves the ~ of --out=~/x alone.
  void expand_paths(Arguments& arguments) const {
    const auto expand = [&](const std::string& name, ValueKind kind) {
      if (kind != ValueKind::kFile && kind != ValueKind::kFolder) return;
      const auto found = arguments.values_.find(name);
      if (found == arguments.values_.end()) return;
      for (auto& value : found->second) value = expand_home(value);
    };
    for (const Option& option : all_options(command_)) expand(option.name, option.kind);
    for (const Positional& positional : command_.positionals)
      expand(positional.name, positional.kind);
  }

  void refuse_rest() const {
    const std::vector<std::string> rest = app_.remaining();
    if (rest.empty()) return;
    const std::string& word = rest.front();
    if (word.size() < 2 || word.front() != '-') {
      throw ConfigError(fmt::format("unexpected argument '{}'", word));
    }
    std::vector<std::string> known;
    for (const Option& option : all_options(command_)) known.push_back(option.name);
    const auto name = word.substr(0, word.find('='));
    throw ConfigError(fmt::format("unknown option '{}'{}", word, [&] {
      const auto key = key_called(name);
      return key.empty() ? config::did_you_mean(name, known)
                         : fmt::format("; the setting {}=... is given without dashes", key);
    }()));
  }

  /// The configuration key that an unknown option's name is, or ends: "train.steps" for "--steps";
  /// empty for none or several.
  [[nodiscard]] std::string key_called(const std::string& option) const {
    const auto name = option.substr(std::min(option.find_first_not_of('-'), option.size()));
    std::vector<std::string> found;
    for (const auto& key : command_.config_keys) {
      if (key == name) return key;
      if (key.ends_with("." + name)) found.push_back(key);
    }
    return found.size() == 1 && !name.empty() ? found.front() : "";
  }

  void check(Arguments& arguments) const {
    for (const Option& option : all_options(command_)) {
      if (!option.default_value.empty()) arguments.defaults_[option.name] = option.default_value;
      const bool given = arguments.given(option.name);
      if (option.required && !given) {
        throw ConfigError(
            fmt::format("{} {} must be given ({})", option.name, option.value, option.meaning));
      }
      if (given && !option.value.empty()) check_value(option, arguments.text(option.name));
    }
    for (const Positional& positional : command_.positionals) {
      if (positional.required && !arguments.given(positional.name)) {
        throw ConfigError(
            fmt::format("{} must be given ({})", positional.name, positional.meaning));
      }
      for (const std::string& value : arguments.list(positional.name)) {
        check_choice(positional.name, value, positional.choices);
      }
    }
  }

  const Command& command_;
  CLI::App app_;
  std::map<std::string, CLI::Option*> options_;
};

Arguments Arguments::unparsed(std::vector<std::string> raw) {
  Arguments arguments;
  arguments.raw_ = std::move(raw);
  return arguments;
}

bool Arguments::given(std::string_view name) const { return values_.find(name) != values_.end(); }

std::string Arguments::text(std::string_view name) const {
  if (const auto value = values_.find(name); value != values_.end()) return value->second.front();
  const auto value = defaults_.find(name);
  return value == defaults_.end() ? std::string() : value->second;
}

std::int64_t Arguments::integer(std::string_view name) const {
  return parse_number<std::int64_t>(name, text(name), "a whole number");
}

double Arguments::number(std::string_view name) const {
  return parse_number<double>(name, text(name), "a number");
}

std::vector<std::string> Arguments::list(std::string_view name) const {
  const auto values = values_.find(name);
  return values == values_.end() ? std::vector<std::string>() : values->second;
}

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find(',', begin), text.size());
    if (end > begin) parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::vector<Option> all_options(const Command& command) {
  std::vector<Option> options = command.options;
  if (!command.config_keys.empty()) {
    options.push_back(
        {.name = "--config",
         .value = "FILE",
         .meaning = "configuration; a bare name is also looked up in the installed configs",
         .kind = ValueKind::kFile});
  }
  const Option help = {.name = "--help", .value = "", .meaning = "this text (also -h)"};
  if (command.passes_arguments) {  // the program that gets them knows nothing of our log
    options.push_back(help);
    return options;
  }
  options.push_back({.name = "--log-level",
                     .value = "LEVEL",
                     .meaning = "what is told on stderr",
                     .default_value = "info",
                     .choices = {"trace", "debug", "info", "warn", "error", "off"}});
  options.push_back(help);
  return options;
}

Arguments parse_arguments(const Command& command, const std::string& full_name,
                          const std::vector<std::string>& arguments) {
  try {
    return ArgumentsReader(command).read(arguments);
  } catch (const ConfigError& error) {
    throw ConfigError(
        fmt::format("raven {}: {}; see 'raven {} --help'", full_name, error.what(), full_name));
  }
}

}  // namespace raven::cli
