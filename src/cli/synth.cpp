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

Option integer(const char* name, const char* meaning, const char* default_value) {
  return {.name = name,
          .value = "N",
          .meaning = meaning,
          .kind = ValueKind::kInteger,
          .default_value = default_value};
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
                  integer("--utterances", "clips in all: 6/10 pretrain, 3/10 trainval, 1/10 test",
                          "2000"),
                  integer("--speakers", "different faces and voices", "40"),
                  integer("--test-speakers",
                          "how many of them are in the test set and nowhere else; -1: a fifth",
                          "-1"),
                  integer("--speaker-offset",
                          "number of the first speaker; another one gives another set", "0"),
                  integer("--seed", "start of every random draw", "1"),
                  {.name = "--kind",
                   .value = "KIND",
                   .meaning = "what is said",
                   .default_value = "mix",
                   .choices = {"mix", "grid", "digits", "open"}},
                  integer("--crf", "H.264 quality, 0 (lossless) to 51", "20"),
                  integer("--workers", "processes; 0: one per core", "0")},
      .examples =
          {{"synth --out corpus --utterances 200 --speakers 10", "a small corpus to try things on"},
           {"synth --out digits --utterances 1000 --speakers 20 --kind digits --seed 7 --workers 4",
            "digit strings, made by four workers"}},
      .run = run,
      .passes_arguments = true,
  };
}

}  // namespace raven::cli
