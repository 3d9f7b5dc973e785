// `raven synth` is the program raven-synth: espeak-ng and x264 are GPL, and raven stays free of
// them.
#include <fcntl.h>
#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <type_traits>

#include "cli/commands.h"
#include "cli/find_program.h"
#include "raven/core/error.h"
#include "raven/core/interrupt.h"
#include "synth/options.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;

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
  restore_signals();
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
