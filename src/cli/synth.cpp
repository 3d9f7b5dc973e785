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

#include "commands.h"
#include "raven/core/error.h"

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
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  if (!error && is_program(self.parent_path() / name)) return self.parent_path() / name;
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
        "what "
        "it needs");
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

}  // namespace

Command make_synth_command() {
  return {
      .name = "synth",
      .summary = "makes a corpus of talking mouths: real .mp4 files in LRS3's layout",
      .description =
          "Sentences are spoken by espeak-ng, faces are drawn from its phoneme times; a corpus to "
          "try "
          "everything on. The same seed gives the same files, whatever the number of workers.",
      .options = {{.name = "--out",
                   .value = "DIR",
                   .meaning = "folder of the corpus",
                   .kind = ValueKind::kFolder,
                   .required = true},
                  {.name = "--utterances",
                   .value = "N",
                   .meaning = "clips in all",
                   .kind = ValueKind::kInteger,
                   .range = config::at_least(1)},
                  {.name = "--speakers",
                   .value = "N",
                   .meaning = "different faces and voices",
                   .kind = ValueKind::kInteger,
                   .range = config::at_least(1)},
                  {.name = "--seed",
                   .value = "N",
                   .meaning = "start of every random draw",
                   .kind = ValueKind::kInteger,
                   .range = config::at_least(0)},
                  {.name = "--workers",
                   .value = "N",
                   .meaning = "clips made at once",
                   .kind = ValueKind::kInteger,
                   .range = config::at_least(1)},
                  {.name = "--kind",
                   .value = "KIND",
                   .meaning = "what is said",
                   .choices = {"mix", "grid", "digits", "open"}}},
      .examples =
          {{"synth --out corpus --utterances 200 --speakers 10", "a small corpus to try things on"},
           {"synth --out digits --utterances 1000 --speakers 20 --kind digits --seed 7 --workers 4",
            "digit strings, made by four workers"}},
      .run = run,
      .passes_arguments = true,
  };
}

}  // namespace raven::cli
