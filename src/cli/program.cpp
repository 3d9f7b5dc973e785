#include "cli/program.h"

#include <c10/util/Exception.h>
#include <poll.h>
#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <new>
#include <system_error>

#include "cli/help.h"
#include "cli/print.h"
#include "raven/config/nearest.h"
#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/core/utf8.h"

namespace raven::cli {
namespace {

bool is_help(const std::string& argument) { return argument == "-h" || argument == "--help"; }

const Command* find(const std::vector<Command>& commands, const std::string& name) {
  const auto found = std::find_if(commands.begin(), commands.end(),
                                  [&](const Command& command) { return command.name == name; });
  return found == commands.end() ? nullptr : &*found;
}

// The command named by `word`, "raven" or "raven config" being what stands before it.
const Command& choose(const std::vector<Command>& commands, const std::string& word,
                      const std::string& before) {
  if (const Command* command = find(commands, word)) return *command;
  std::vector<std::string> names;
  for (const Command& command : commands) names.push_back(command.name);
  throw ConfigError(fmt::format("{}: unknown {} '{}'{}; see '{} --help'", before,
                                word.front() == '-' ? "option" : "command", word,
                                config::did_you_mean(word, names), before));
}

ExitCode run_leaf(const Command& command, const std::string& full_name,
                  const std::vector<std::string>& arguments) {
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  if (std::any_of(arguments.begin(), end, is_help)) {
    print(help_text(command, full_name));
    return ExitCode::kDone;
  }
  if (command.passes_arguments) return command.run(Arguments::unparsed(arguments));
  const Arguments parsed = parse_arguments(command, full_name, arguments);
  log::start(parsed.text("--log-level"));
  return command.run(parsed);
}

ExitCode dispatch(const std::vector<Command>& commands, std::vector<std::string> arguments) {
  if (arguments.empty() || is_help(arguments.front())) {
    print(overview_text(commands));
    return ExitCode::kDone;
  }
  if (arguments.front() == "--version") {
    print(version_text());
    return ExitCode::kDone;
  }
  if (arguments.front() == "help") {  // raven help pretrain
    arguments.erase(arguments.begin());
    arguments.emplace_back("--help");
    return dispatch(commands, std::move(arguments));
  }
  // `raven --log-level debug pretrain` means `raven pretrain --log-level debug`.
  if (arguments.front() == "--log-level" && arguments.size() > 2) {
    std::rotate(arguments.begin(), arguments.begin() + 2, arguments.begin() + 3);
  }
  const Command* command = &choose(commands, arguments.front(), "raven");
  std::string full_name = command->name;
  arguments.erase(arguments.begin());
  if (!command->children.empty()) {
    if (arguments.empty()) throw ConfigError(help_text(*command, full_name));
    if (is_help(arguments.front())) {
      print(help_text(*command, full_name));
      return ExitCode::kDone;
    }
    command = &choose(command->children, arguments.front(), "raven " + full_name);
    full_name += " " + command->name;
    arguments.erase(arguments.begin());
  }
  return run_leaf(*command, full_name, arguments);
}

int failed(int code, const std::string& message) {
  std::fprintf(stderr, "%s\n", for_terminal(message).c_str());
  return code;
}

// Nobody reads what is written to stdout any more (`raven ... | head`). A failed write does not
// tell in the end: the code of the one that failed first is gone by then.
bool reader_has_gone() {
  struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
  return ::poll(&out, 1, /*timeout=*/0) == 1 && (out.revents & POLLERR) != 0;
}

// Everything that was printed has to arrive: a full disk under `raven config show > file` is an
// error.
ExitCode run_and_flush(const std::vector<Command>& commands,
                       const std::vector<std::string>& arguments) {
  const ExitCode code = dispatch(commands, arguments);
  errno = 0;
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    const int cause = reader_has_gone() ? EPIPE : errno == 0 ? EIO : errno;
    throw std::system_error(cause, std::generic_category(), "cannot write to stdout");
  }
  return code;
}

}  // namespace

int run_program(const std::vector<Command>& commands, const std::vector<std::string>& arguments) {
  try {
    return static_cast<int>(run_and_flush(commands, arguments));
  } catch (const c10::OutOfMemoryError& error) {
    return failed(exit_code_of(error),
                  fmt::format("the GPU's memory is full: {}\nlower data.max_frames and raise "
                              "train.accumulate by the same factor",
                              error.what_without_backtrace()));
  } catch (const c10::Error& error) {
    return failed(exit_code_of(error), std::string("LibTorch: ") + error.what_without_backtrace());
  } catch (const std::bad_alloc& error) {
    return failed(exit_code_of(error), "out of memory");
  } catch (const std::system_error& error) {
    // The reader of our output has gone (`raven ... | head`): nobody is left to tell.
    if (error.code() == std::errc::broken_pipe) return static_cast<int>(ExitCode::kDone);
    return failed(exit_code_of(error), full_message(error));
  } catch (const std::exception& error) {
    return failed(exit_code_of(error), full_message(error));
  }
}

}  // namespace raven::cli
