// `raven synth` is the program raven-synth: espeak-ng and x264 are GPL, and raven stays free of
// them.
#include <fcntl.h>
#include <spdlog/fmt/fmt.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <type_traits>

#include "commands.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "synth/options.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;

bool is_program(const fs::path& file) {
  struct stat status {};
  return stat(file.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         access(file.c_str(), X_OK) == 0;
}

// Beside this program, else on PATH; empty when there is none.
fs::path find_program(const std::string& name) {
  const auto beside = program_folder();
  if (!beside.empty() && is_program(beside / name)) return beside / name;
  const char* path = std::getenv("PATH");
  std::string rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const auto end = std::min(rest.find(':'), rest.size());
    const fs::path folder = rest.substr(0, end);
    if (folder.is_absolute() && is_program(folder / name)) return folder / name;
    rest.erase(0, std::min(end + 1, rest.size()));
  }
  return {};
}

ExitCode run(const Arguments& arguments) {
  const fs::path program = find_program("raven-synth");
  if (program.empty()) {
    throw ConfigError(
        "raven synth: the program raven-synth lies neither beside raven nor on PATH; build it with "
        "-DRAVEN_SYNTH=ON (needs espeak-ng's library), or use scripts/setup.sh, which installs "
        "what it needs");
  }
  std::vector<std::string> texts = {program.string()};
  texts.insert(texts.end(), arguments.raw().begin(), arguments.raw().end());
  std::vector<char*> argv;
  for (std::string& text : texts) argv.push_back(text.data());
  argv.push_back(nullptr);
  std::signal(SIGPIPE, SIG_DFL);  // an ignored signal would stay ignored in the new program
  execv(program.c_str(), argv.data());
  throw SystemError(fmt::format("cannot start {}: {}", program.string(), std::strerror(errno)));
}

std::vector<Option> options_table() {
  std::vector<Option> table;
  synth::ProgramOptions defaults;
  synth::list_options(
      defaults, [&]<class Field>(const char* name, const Field& field, const char* meaning) {
        Option option{.name = name, .value = "N", .meaning = meaning, .kind = ValueKind::kInteger};
        if constexpr (std::is_same_v<Field, fs::path>) {
          option.value = "DIR";
          option.kind = ValueKind::kFolder;
          option.required = true;
        } else if constexpr (std::is_same_v<Field, synth::Kind>) {
          option.value = "KIND";
          option.kind = ValueKind::kText;
          for (const auto& [choice, kind] : synth::kKinds) {
            option.choices.emplace_back(choice);
            if (kind == field) option.default_value = choice;
          }
        } else {
          option.default_value = fmt::format("{}", field);
        }
        table.push_back(option);
      });
  return table;
}

}  // namespace

Command make_synth_command() {
  return {
      .name = "synth",
      .summary = "makes a corpus of talking mouths: real .mp4 files in LRS3's layout",
      .description =
          "Sentences are spoken by espeak-ng, faces are drawn from its phoneme times; a corpus to "
          "try everything on. The same seed gives the same files, whatever the number of workers.",
      .options = options_table(),
      .examples =
          {{"synth --out corpus --utterances 200 --speakers 10", "a small corpus to try things on"},
           {"synth --out digits --utterances 1000 --speakers 20 --kind digits --seed 7 --workers 4",
            "digit strings, made by four workers"}},
      .run = run,
      .passes_arguments = true,
  };
}

}  // namespace raven::cli
