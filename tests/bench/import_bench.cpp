// Time and memory of `raven import` against copying the file, in turns. Random weights under the
// published names are written first; then one JSON line:
//   import_bench [--raven PROGRAM] [--size base|large] [--turns N] [--folder DIR]
// The copy is flushed to disk, as raven's own file is.
#include <fcntl.h>
#include <spawn.h>
#include <spdlog/fmt/fmt.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "raven/models/recognizer.h"
#include "raven/nn/state_dict.h"
#include "raven/weights/pytorch_writer.h"
#include "support/temporary_folder.h"

extern char** environ;

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct Cost {
  double seconds = 0, processor_s = 0;
  std::int64_t peak_bytes = 0;
};

/// Runs a program without its output.
Cost run(std::vector<std::string> words) {
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  const auto start = Clock::now();
  pid_t child = 0;
  if (posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ) != 0) {
    throw std::runtime_error("cannot start " + words[0]);
  }
  int status = 0;
  rusage usage{};
  ::wait4(child, &status, 0, &usage);
  posix_spawn_file_actions_destroy(&actions);
  if (status != 0) throw std::runtime_error(words[0] + " failed");
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return {.seconds = std::chrono::duration<double>(Clock::now() - start).count(),
          .processor_s = seconds(usage.ru_utime) + seconds(usage.ru_stime),
          .peak_bytes = static_cast<std::int64_t>(usage.ru_maxrss) * 1024};
}

raven::models::RecognizerOptions options_of(const std::string& size) {
  raven::models::RecognizerOptions options;  // video, Base
  options.decoder.dim = 512, options.decoder.heads = 8;
  if (size == "base") return options;
  options.encoder.dim = options.decoder.dim = 1024;
  options.encoder.heads = options.decoder.heads = 16;
  options.encoder.ffn_dim = options.decoder.ffn_dim = 4096;
  options.encoder.blocks = 24;
  options.decoder.blocks = 9;
  return options;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int count, char** words) {
  std::map<std::string, std::string> given = {{"--raven", RAVEN_BINARY_DIR "/bin/raven"},
                                              {"--size", "base"},
                                              {"--turns", "3"},
                                              {"--folder", ""}};
  for (int i = 1; i + 1 < count; i += 2) given.at(words[i]) = words[i + 1];
  const raven::TemporaryFolder temporary;
  const fs::path folder =
      given["--folder"].empty() ? temporary.path() : fs::path(given["--folder"]);
  const auto from = (folder / "published.pth").string(), to = (folder / "copy").string();
  // In a process of its own: what it takes at its peak would be counted as its parent's children's.
  if (const auto writer = ::fork(); writer == 0) {
    const raven::models::Recognizer recognizer(options_of(given["--size"]));
    raven::weights::write_pytorch_archive(from, {.tensors = raven::nn::state_dict(*recognizer)});
    ::_exit(0);
  } else {
    ::waitpid(writer, nullptr, 0);
  }
  const std::vector<std::string> copy = {"dd",    "if=" + from, "of=" + to,
                                         "bs=1M", "conv=fsync", "status=none"};
  const std::vector<std::string> import = {given["--raven"], "import", from, to + ".safetensors"};
  run(copy);  // fills the page cache
  std::vector<double> copies, imports, processor_s;
  std::int64_t peak_bytes = 0;
  for (int turn = 0; turn < std::stoi(given["--turns"]); ++turn) {
    copies.push_back(run(copy).seconds);
    const auto cost = run(import);
    imports.push_back(cost.seconds);
    processor_s.push_back(cost.processor_s);
    peak_bytes = std::max(peak_bytes, cost.peak_bytes);
  }
  const auto bytes = static_cast<std::int64_t>(fs::file_size(from));
  fmt::print(
      R"({{"benchmark":"import","size":"{}","bytes":{},"copy_s":{:.3f},"import_s":{:.3f},)"
      R"("times_copy":{:.2f},"import_processor_s":{:.3f},"peak_rss_bytes":{},"peak_per_byte":{:.2f}}})"
      "\n",
      given["--size"], bytes, median(copies), median(imports), median(imports) / median(copies),
      median(processor_s), peak_bytes,
      static_cast<double>(peak_bytes) / static_cast<double>(bytes));
  for (const auto& file : {from, to, to + ".safetensors"}) fs::remove(file);
  return 0;
}
