#include "raven/core/child.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "raven/core/files.h"

namespace raven {
namespace {

/// What posix_spawn() is told: streams, and signals as a shell would start a program.
class SpawnSettings {
 public:
  explicit SpawnSettings(const std::filesystem::path& log) {
    posix_spawn_file_actions_init(&files_);
    posix_spawn_file_actions_addopen(&files_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!log.empty()) {
      posix_spawn_file_actions_addopen(&files_, STDOUT_FILENO, log.c_str(),
                                       O_WRONLY | O_CREAT | O_APPEND, 0666);
      posix_spawn_file_actions_adddup2(&files_, STDOUT_FILENO, STDERR_FILENO);
    }
    posix_spawnattr_init(&attributes_);
    sigset_t none, ignored_by_us;
    sigemptyset(&none);
    sigemptyset(&ignored_by_us);
    for (const int number : {SIGPIPE, SIGXFSZ}) sigaddset(&ignored_by_us, number);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &ignored_by_us);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&files_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  [[nodiscard]] const posix_spawn_file_actions_t* files() const { return &files_; }
  [[nodiscard]] const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t files_{};
  posix_spawnattr_t attributes_{};
};

}  // namespace

Child::Child(const std::filesystem::path& program, const std::vector<std::string>& arguments,
             const Settings& given) {
  std::vector<std::string> words = {program.string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  auto variables = read_variables();
  for (const auto& [name, value] : given.variables) variables[name] = value;
  std::vector<std::string> lines;
  for (const auto& [name, value] : variables) lines.push_back(name + "=" + value);
  std::vector<char*> environment;
  for (auto& line : lines) environment.push_back(line.data());
  environment.push_back(nullptr);
  const SpawnSettings settings(given.log);
  const int code = posix_spawn(&process_, program.c_str(), settings.files(), settings.attributes(),
                               argv.data(), environment.data());
  if (code != 0) throw_system_error("start", program, code);
}

Child::~Child() {
  if (code_) return;
  ask_to_stop();
  int status = 0;
  while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
  }
}

std::optional<int> Child::poll() {
  int status = 0;
  if (!code_ && ::waitpid(process_, &status, WNOHANG) == process_) take(status);
  return code_;
}

void Child::ask_to_stop() {
  if (!code_ && !asked_) ::kill(process_, SIGTERM);
  asked_ = true;
}

void Child::take(int status) {
  code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace raven
