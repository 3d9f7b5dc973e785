#include "weights/new_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "raven/core/error.h"

namespace raven::weights {
namespace {

constexpr std::uint64_t kWritebackPiece = 8 << 20;

}  // namespace

NewFile::NewFile(const std::filesystem::path& file) : name_(file.string()) {
  descriptor_ = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail("create");
}

NewFile::~NewFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void NewFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto done = ::write(descriptor_, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail("write");
    bytes.remove_prefix(static_cast<std::size_t>(done));
    size_ += static_cast<std::uint64_t>(done);
  }
  if (size_ - handed_over_ >= kWritebackPiece) hand_over();
}

void NewFile::hand_over() {
  // Only a hint: where a file system knows no such call, the flush at the end does all of it.
  ::sync_file_range(descriptor_, static_cast<off_t>(handed_over_),
                    static_cast<off_t>(size_ - handed_over_), SYNC_FILE_RANGE_WRITE);
  handed_over_ = size_;
}

void NewFile::replace(std::uint64_t position, std::string_view bytes) {
  RAVEN_CHECK(position <= size_ && bytes.size() <= size_ - position,
              "replaces bytes that were not written");
  while (!bytes.empty()) {
    const auto done =
        ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(position));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail("write");
    bytes.remove_prefix(static_cast<std::size_t>(done));
    position += static_cast<std::uint64_t>(done);
  }
}

void NewFile::close() {
  if (::close(std::exchange(descriptor_, -1)) != 0) fail("write");
}

void NewFile::fail(const char* action) const {
  const int code = errno;
  const bool full = code == ENOSPC || code == EDQUOT;
  throw SystemError(fmt::format("cannot {} {}: {}{}", action, name_, std::strerror(code),
                                full ? "; free some space and run again" : ""));
}

}  // namespace raven::weights
