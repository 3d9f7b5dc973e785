#include "raven/weights/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "raven/core/error.h"

namespace raven::weights {
namespace {

[[noreturn]] void fail(const std::string& file, const char* action) {
  const int code = errno;
  if (code == ENOENT || code == ENOTDIR) throw CheckpointError(file + ": no such file");
  throw SystemError(fmt::format("cannot {} {}: {}", action, file, std::strerror(code)));
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& file) : name_(file.string()) {
  // A FIFO would wait for a writer for ever; regular files do not mind O_NONBLOCK.
  descriptor_ = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) fail(name_, "open");
  try {
    struct stat status {};
    if (::fstat(descriptor_, &status) != 0) fail(name_, "read");
    if (!S_ISREG(status.st_mode)) throw CheckpointError(name_ + ": is not a regular file");
    size_ = static_cast<std::size_t>(status.st_size);
    if (size_ == 0) return;
    void* start =
        ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, descriptor_, 0);
    if (start == MAP_FAILED) fail(name_, "map");
    data_ = static_cast<char*>(start);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
  ::close(descriptor_);
}

void MappedFile::forget(const void* part, std::size_t size) const {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto start = reinterpret_cast<std::uintptr_t>(data_);
  const auto begin = reinterpret_cast<std::uintptr_t>(part), end = begin + size;
  if (data_ == nullptr || begin < start || end > start + size_) return;
  const auto first = (begin + page - 1) / page * page, last = end / page * page;
  if (last > first) ::madvise(data_ + (first - start), last - first, MADV_DONTNEED);
}

void MappedFile::copy(std::uint64_t from, std::uint64_t count, char* to) const {
  while (count > 0) {
    const auto done = ::pread(descriptor_, to, count, static_cast<off_t>(from));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail(name_, "read");
    if (done == 0) throw CheckpointError(name_ + ": became shorter while it was read");
    const auto bytes = static_cast<std::uint64_t>(done);
    to += bytes, from += bytes, count -= bytes;
  }
}

void MappedFile::each_block(const std::function<void(std::string_view)>& use) const {
  std::vector<char> block(std::min<std::size_t>(size_, 1 << 18));
  for (std::uint64_t at = 0; at < size_;) {
    const auto count = std::min<std::uint64_t>(block.size(), size_ - at);
    copy(at, count, block.data());
    use({block.data(), count});
    at += count;
  }
}

std::uint64_t MappedFile::checksum() const {
  const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state(XXH3_createState(),
                                                                              XXH3_freeState);
  RAVEN_CHECK(state != nullptr, "out of memory");
  XXH3_64bits_reset(state.get());
  each_block(
      [&](std::string_view block) { XXH3_64bits_update(state.get(), block.data(), block.size()); });
  return XXH3_64bits_digest(state.get());
}

}  // namespace raven::weights
