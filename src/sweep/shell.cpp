#include "raven/sweep/shell.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <string_view>

namespace raven::sweep {
namespace {

constexpr std::string_view kLettersAndDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

bool is_one_of(char c, std::string_view others) {
  return kLettersAndDigits.find(c) != std::string_view::npos ||
         others.find(c) != std::string_view::npos;
}

/// For a directive, which sbatch reads and no shell: nothing that would end it.
std::string job_name(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !is_one_of(c, "._+-"); }, '_');
  return name.empty() ? "sweep" : name;
}

}  // namespace

std::string quoted(const std::string& word) {
  const auto plain = [](char c) { return is_one_of(c, "_./=:,+@%-"); };
  // A word that begins with = is a command's path to zsh.
  if (!word.empty() && word.front() != '=' && std::all_of(word.begin(), word.end(), plain)) {
    return word;
  }
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

std::string command_line(const std::filesystem::path& program, const Run& run) {
  std::string line = quoted(program.string());
  for (const auto& argument : run.arguments) line += " " + quoted(argument);
  return line;
}

std::string slurm_script(std::span<const Run> runs, const SlurmOptions& options) {
  std::string script = fmt::format(
      "#!/bin/bash\n"
      "# A task for each run of a sweep, written by raven sweep --slurm. Add what the cluster "
      "wants (--partition, --gpus, --time).\n"
      "# Submitted again, runs go on where they were; finished ones end at once.\n"
      "#SBATCH --job-name={}\n#SBATCH --array=0-{}{}\n#SBATCH --signal=B:TERM@120\n"
      "cd {} || exit 1\n"
      "case \"$SLURM_ARRAY_TASK_ID\" in\n",
      job_name(options.job_name), runs.size() - 1,
      options.at_once ? fmt::format("%{}", *options.at_once) : "",
      quoted(options.working_folder.string()));
  for (std::size_t i = 0; i < runs.size(); ++i)
    script += fmt::format("{}) exec {} ;;\n", i, command_line(options.program, runs[i]));
  return script + "*) echo \"no run has the number '$SLURM_ARRAY_TASK_ID'\" >&2; exit 2 ;;\nesac\n";
}

}  // namespace raven::sweep
