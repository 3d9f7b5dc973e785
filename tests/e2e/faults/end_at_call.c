// Preloaded: ends a program at the n-th of its calls that change a file below one folder, as a kill
// or a cut of the power would, or lets that call fail as on a full disk.
// scripts/crash_everywhere.py goes through all n.
//
//   RAVEN_FAULT_UNDER=/folder     calls on files below it count
//   RAVEN_FAULT_LOG=file          gets a line "n call path" for each of them
//   RAVEN_FAULT_AT=n              SIGKILL before the n-th; of a write, after half of its bytes
//   RAVEN_FAULT_ERRNO=28          it fails with ENOSPC instead, and so does each later call
//                                 that needs room on the disk
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum Verdict { kGoOn, kFail, kHalf };

static char under[4096];
static long fault_at = -1, fault_errno;
static int log_file = -1;
static atomic_long calls;

__attribute__((constructor)) static void read_variables(void) {
  const char* text = getenv("RAVEN_FAULT_UNDER");
  if (text == NULL || strlen(text) >= sizeof(under)) return;
  if ((text = getenv("RAVEN_FAULT_AT")) != NULL) fault_at = atol(text);
  if ((text = getenv("RAVEN_FAULT_ERRNO")) != NULL) fault_errno = atol(text);
  if ((text = getenv("RAVEN_FAULT_LOG")) != NULL)
    log_file =
        (int)syscall(SYS_openat, AT_FDCWD, text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  strcpy(under, getenv("RAVEN_FAULT_UNDER"));
}

/// The path of an open file or folder; empty when there is none.
static void path_of(int descriptor, char* into, size_t size) {
  char link[64];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", descriptor);
  const ssize_t length = readlink(link, into, size - 1);
  into[length > 0 ? length : 0] = 0;
}

/// Counts the call. `room`: it may need space on the disk.
static enum Verdict visit(const char* call, int folder, const char* name, int is_write, int room) {
  char path[8300] = "";
  if (under[0] == 0 || name == NULL) return kGoOn;
  if (name[0] != '/') {
    if (folder == AT_FDCWD) {
      if (getcwd(path, 4096) == NULL) path[0] = 0;
    } else {
      path_of(folder, path, 4096);
    }
    strcat(path, "/");
  }
  strncat(path, name, 4096);
  const size_t length = strlen(under);
  if (strncmp(path, under, length) != 0 || (path[length] != '/' && path[length] != 0)) return kGoOn;
  const long number = atomic_fetch_add(&calls, 1) + 1;
  if (log_file >= 0) {
    char line[8400];
    const int size = snprintf(line, sizeof(line), "%ld %s %s\n", number, call, path);
    syscall(SYS_write, log_file, line, size);
  }
  const int saved = errno;
  if (fault_errno != 0) {
    errno = (int)fault_errno;
    if (number == fault_at || (fault_at > 0 && number > fault_at && room)) return kFail;
  } else if (number == fault_at) {
    if (is_write) return kHalf;
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
  errno = saved;
  return kGoOn;
}

static enum Verdict visit_open(const char* call, int descriptor, int is_write, int room) {
  char path[4096];
  path_of(descriptor, path, sizeof(path));
  return visit(call, AT_FDCWD, path, is_write, room);
}

static void end(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

#define REAL(name)               \
  static __typeof__(&name) real; \
  if (real == NULL) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define AT(folder, path, room) \
  if (visit(__func__, folder, path, 0, room) == kFail) return -1
#define ON(descriptor, room) \
  if (visit_open(__func__, descriptor, 0, room) == kFail) return -1

int rename(const char* a, const char* b) {
  REAL(rename);
  AT(AT_FDCWD, b, 0);
  return real(a, b);
}
int renameat(int f, const char* a, int g, const char* b) {
  REAL(renameat);
  AT(g, b, 0);
  return real(f, a, g, b);
}
int renameat2(int f, const char* a, int g, const char* b, unsigned how) {
  REAL(renameat2);
  AT(g, b, 0);
  return real(f, a, g, b, how);
}
int link(const char* a, const char* b) {
  REAL(link);
  AT(AT_FDCWD, b, 1);
  return real(a, b);
}
int linkat(int f, const char* a, int g, const char* b, int how) {
  REAL(linkat);
  AT(g, b, 1);
  return real(f, a, g, b, how);
}
int symlink(const char* a, const char* b) {
  REAL(symlink);
  AT(AT_FDCWD, b, 1);
  return real(a, b);
}
int symlinkat(const char* a, int g, const char* b) {
  REAL(symlinkat);
  AT(g, b, 1);
  return real(a, g, b);
}
int unlink(const char* a) {
  REAL(unlink);
  AT(AT_FDCWD, a, 0);
  return real(a);
}
int unlinkat(int f, const char* a, int how) {
  REAL(unlinkat);
  AT(f, a, 0);
  return real(f, a, how);
}
int remove(const char* a) {
  REAL(remove);
  AT(AT_FDCWD, a, 0);
  return real(a);
}
int rmdir(const char* a) {
  REAL(rmdir);
  AT(AT_FDCWD, a, 0);
  return real(a);
}
int mkdir(const char* a, mode_t mode) {
  REAL(mkdir);
  AT(AT_FDCWD, a, 1);
  return real(a, mode);
}
int mkdirat(int f, const char* a, mode_t mode) {
  REAL(mkdirat);
  AT(f, a, 1);
  return real(f, a, mode);
}
int truncate(const char* a, off_t size) {
  REAL(truncate);
  AT(AT_FDCWD, a, 0);
  return real(a, size);
}
int truncate64(const char* a, off64_t size) {
  REAL(truncate64);
  AT(AT_FDCWD, a, 0);
  return real(a, size);
}
int ftruncate(int f, off_t size) {
  REAL(ftruncate);
  ON(f, 1);
  return real(f, size);
}
int ftruncate64(int f, off64_t size) {
  REAL(ftruncate64);
  ON(f, 1);
  return real(f, size);
}
int fallocate(int f, int mode, off_t at, off_t size) {
  REAL(fallocate);
  ON(f, 1);
  return real(f, mode, at, size);
}
int posix_fallocate(int f, off_t at, off_t size) {
  REAL(posix_fallocate);
  return visit_open(__func__, f, 0, 1) == kFail ? errno : real(f, at, size);
}
int fsync(int f) {
  REAL(fsync);
  ON(f, 0);
  return real(f);
}
int fdatasync(int f) {
  REAL(fdatasync);
  ON(f, 0);
  return real(f);
}
ssize_t copy_file_range(int from, off64_t* a, int to, off64_t* b, size_t size, unsigned how) {
  REAL(copy_file_range);
  ON(to, 1);
  return real(from, a, to, b, size, how);
}

ssize_t write(int f, const void* bytes, size_t size) {
  REAL(write);
  const enum Verdict verdict = f > STDERR_FILENO ? visit_open(__func__, f, 1, 1) : kGoOn;
  if (verdict == kFail) return -1;
  const ssize_t written = real(f, bytes, verdict == kHalf ? size / 2 : size);
  if (verdict == kHalf) end();
  return written;
}
ssize_t writev(int f, const struct iovec* parts, int count) {
  REAL(writev);
  const enum Verdict verdict = f > STDERR_FILENO ? visit_open(__func__, f, 1, 1) : kGoOn;
  if (verdict == kFail) return -1;
  if (verdict == kHalf) real(f, parts, (count + 1) / 2), end();
  return real(f, parts, count);
}
ssize_t pwrite(int f, const void* bytes, size_t size, off_t at) {
  REAL(pwrite);
  const enum Verdict verdict = visit_open(__func__, f, 1, 1);
  if (verdict == kFail) return -1;
  if (verdict == kHalf) real(f, bytes, size / 2, at), end();
  return real(f, bytes, size, at);
}
ssize_t pwrite64(int f, const void* bytes, size_t size, off64_t at) {
  REAL(pwrite64);
  const enum Verdict verdict = visit_open(__func__, f, 1, 1);
  if (verdict == kFail) return -1;
  if (verdict == kHalf) real(f, bytes, size / 2, at), end();
  return real(f, bytes, size, at);
}

// Opening counts where it makes a file or empties one.
#define CHANGES (O_CREAT | O_TRUNC)
#define MODE                                \
  va_list more;                             \
  va_start(more, how);                      \
  const mode_t mode = va_arg(more, mode_t); \
  va_end(more)
int open(const char* a, int how, ...) {
  MODE;
  REAL(open);
  if (how & CHANGES) AT(AT_FDCWD, a, 1);
  return real(a, how, mode);
}
int open64(const char* a, int how, ...) {
  MODE;
  REAL(open64);
  if (how & CHANGES) AT(AT_FDCWD, a, 1);
  return real(a, how, mode);
}
int openat(int f, const char* a, int how, ...) {
  MODE;
  REAL(openat);
  if (how & CHANGES) AT(f, a, 1);
  return real(f, a, how, mode);
}
int openat64(int f, const char* a, int how, ...) {
  MODE;
  REAL(openat64);
  if (how & CHANGES) AT(f, a, 1);
  return real(f, a, how, mode);
}
int creat(const char* a, mode_t mode) {
  REAL(creat);
  AT(AT_FDCWD, a, 1);
  return real(a, mode);
}
int mkostemp(char* a, int how) {
  REAL(mkostemp);
  AT(AT_FDCWD, a, 1);
  return real(a, how);
}
int mkostemp64(char* a, int how) {
  REAL(mkostemp64);
  AT(AT_FDCWD, a, 1);
  return real(a, how);
}
int mkstemp(char* a) {
  REAL(mkstemp);
  AT(AT_FDCWD, a, 1);
  return real(a);
}
FILE* fopen(const char* a, const char* how) {
  REAL(fopen);
  if (strchr("wa", how[0]) && visit(__func__, AT_FDCWD, a, 0, 1) == kFail) return NULL;
  return real(a, how);
}
FILE* fopen64(const char* a, const char* how) {
  REAL(fopen64);
  if (strchr("wa", how[0]) && visit(__func__, AT_FDCWD, a, 0, 1) == kFail) return NULL;
  return real(a, how);
}
