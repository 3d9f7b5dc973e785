// A machine with a fault put in: a process is started with other limits, variables, libraries or
// file systems.
#pragma once

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

extern char** environ;

namespace raven {

struct Fault {
  std::map<std::string, std::string> variables = {};
  std::function<bool()> before =
      {};  // in the new process, before the program starts; false: the fault cannot be put in
};

/// A child process whose `before` failed ends with this code.
inline constexpr int kNoFault = 126;

struct Ended {
  int code = 0;        // 128 + number when a signal ended it
  std::string output;  // stdout
};

/// The environment of this process without what launchers, loaders and users may have set, with
/// `variables` added.
inline std::vector<std::string> clean_environment(
    const std::map<std::string, std::string>& variables) {
  constexpr std::array<std::string_view, 12> kDropped = {
      "RANK=",  "WORLD_SIZE=",  "LOCAL_",           "MASTER_",
      "SLURM_", "TORCHELASTIC", "OMP_NUM_THREADS=", "CUDA_VISIBLE_DEVICES=",
      "ATEN_",  "LD_PRELOAD=",  "RAVEN_FAULT_",     "GROUP_RANK="};
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto name = text.substr(0, text.find('='));
    bool keep = variables.count(std::string(name)) == 0;
    for (const auto dropped : kDropped) keep = keep && text.rfind(dropped, 0) != 0;
    if (keep) environment.emplace_back(text);
  }
  for (const auto& [name, value] : variables) environment.push_back(name + "=" + value);
  return environment;
}

inline std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (auto& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

/// Starts `command` with the fault; its stdout goes to `output`, a descriptor.
inline pid_t start(std::vector<std::string> command, const Fault& fault, int output) {
  auto environment = clean_environment(fault.variables);
  const auto arguments = pointers(command), variables = pointers(environment);
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child > 0) return child;
  if (::dup2(output, STDOUT_FILENO) < 0 || (fault.before && !fault.before())) ::_exit(kNoFault);
  ::execve(arguments.front(), arguments.data(), variables.data());
  ::_exit(127);
}

inline int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

inline Ended run(const std::vector<std::string>& command, const Fault& fault) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("cannot make a pipe");
  const pid_t child = start(command, fault, ends[1]);
  ::close(ends[1]);
  Ended ended;
  std::array<char, 4096> buffer{};
  for (ssize_t count = 0; (count = ::read(ends[0], buffer.data(), buffer.size())) > 0;)
    ended.output.append(buffer.data(), static_cast<std::size_t>(count));
  ::close(ends[0]);
  ended.code = wait_for(child);
  return ended;
}

/// Lowers a limit for good.
inline bool lower_limit(decltype(RLIMIT_NOFILE) resource, rlim_t value) {
  const struct rlimit limit { .rlim_cur = value, .rlim_max = value };
  return ::setrlimit(resource, &limit) == 0;
}

/// Lowers it as a shell's `ulimit -S` does.
inline bool lower_soft_limit(decltype(RLIMIT_NOFILE) resource, rlim_t value) {
  struct rlimit limit {};
  if (::getrlimit(resource, &limit) != 0) return false;
  limit.rlim_cur = std::min(value, limit.rlim_max);
  return ::setrlimit(resource, &limit) == 0;
}

/// Takes away what lets root write where permissions forbid it; also from the program that starts
/// next.
inline bool obey_permissions() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> none{};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::syscall(SYS_capset, &header, none.data()) == 0;
}

/// Gives this process a view of the file systems of its own, as root or through a user namespace.
inline bool leave_mounts() {
  if (::unshare(CLONE_NEWNS) == 0)
    return ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  const auto user = ::geteuid();
  const auto group = ::getegid();
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  std::ofstream("/proc/self/setgroups") << "deny";
  std::ofstream("/proc/self/uid_map") << user << " " << user << " 1";
  std::ofstream("/proc/self/gid_map") << group << " " << group << " 1";
  return ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

/// Writes to `file` until nothing more fits.
inline void fill_up(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  std::vector<char> block(1 << 16);
  for (std::size_t size = block.size(); size > 0;) {
    if (::write(descriptor, block.data(), size) <= 0) size /= 2;
  }
  ::close(descriptor);
}

/// Puts a small file system on `folder` and fills it.
inline bool mount_full(const std::filesystem::path& folder) {
  if (!leave_mounts() || ::mount("none", folder.c_str(), "tmpfs", 0, "size=1m") != 0) return false;
  fill_up(folder / "filler");
  return true;
}

/// Whether a new process can do that.
inline bool can_mount(const std::filesystem::path& folder) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(mount_full(folder) ? 0 : 1);
  return wait_for(child) == 0;
}

/// A small file system that is there already, as containers have (/dev/shm of 64 MiB); empty when
/// there is none.
inline std::filesystem::path small_file_system() {
  for (const auto* folder : {"/dev/shm", "/run/lock", "/dev"}) {
    struct statvfs space {};
    if (::access(folder, W_OK) == 0 && ::statvfs(folder, &space) == 0 &&
        space.f_bavail * space.f_frsize <= 512ULL << 20)
      return folder;
  }
  return {};
}

/// Changes each `from` in a library to `to`, which is as long, but in versions of symbols
/// ("GLIBC_2.11"). A compiler may keep a short text within an instruction: what follows it is not
/// looked at. Returns how many there were.
inline int replace_texts(const std::filesystem::path& file, const std::string& from,
                         const std::string& to) {
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
  const auto size = static_cast<std::size_t>(std::filesystem::file_size(file));
  void* map = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  ::close(descriptor);
  if (map == MAP_FAILED) throw std::runtime_error("cannot map " + file.string());
  auto* begin = static_cast<char*>(map);
  int replaced = 0;
  for (auto* at = begin;;) {
    const auto left = size - static_cast<std::size_t>(at - begin);
    at = static_cast<char*>(::memmem(at, left, from.data(), from.size()));
    if (at == nullptr) break;
    if (at > begin && at[-1] != '_') {
      std::memcpy(at, to.data(), to.size());
      ++replaced;
    }
    at += from.size();
  }
  ::munmap(map, size);
  return replaced;
}

}  // namespace raven
