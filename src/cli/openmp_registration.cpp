// LLVM's OpenMP notes in /dev/shm, under its process's number, that it is loaded (kmp_runtime.cpp,
// __kmp_register_library_startup). Version 14 ends the process where that folder is full, read-only
// or missing, and a killed process leaves its note there. This program's own shm_open and
// shm_unlink come before libc's and keep the note in memory of the process; all other names are
// passed on.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace {

int note = -1;  // OpenMP holds a lock of its own around each call

bool is_note(const char* name) {
  return std::string_view(name).substr(0, 22) == "/__KMP_REGISTERED_LIB_";
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int shm_open(const char* name, int flags,
                                                               mode_t mode) {
  if (!is_note(name)) {
    const auto next = reinterpret_cast<decltype(&shm_open)>(::dlsym(RTLD_NEXT, "shm_open"));
    return next(name, flags, mode);
  }
  if (note >= 0 && (flags & O_EXCL) != 0) {
    errno = EEXIST;
    return -1;
  }
  if (note < 0) note = ::memfd_create("openmp_registration", MFD_CLOEXEC);
  return note < 0 ? -1 : ::fcntl(note, F_DUPFD_CLOEXEC, 0);
}

extern "C" __attribute__((visibility("default"))) int shm_unlink(const char* name) {
  if (!is_note(name)) {
    const auto next = reinterpret_cast<decltype(&shm_unlink)>(::dlsym(RTLD_NEXT, "shm_unlink"));
    return next(name);
  }
  if (note >= 0) ::close(note);
  note = -1;
  return 0;
}
