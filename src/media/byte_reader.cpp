#include "media/byte_reader.h"

#include <fcntl.h>
#include <spdlog/fmt/fmt.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>

#include "raven/core/error.h"

namespace raven::media {
namespace {

constexpr std::int64_t kFileBufferBytes = 64 << 10;
constexpr std::int64_t kMemoryBufferBytes = 16 << 10;
constexpr std::int64_t kReadsOfWholeFile = 64;
constexpr std::int64_t kLeastBudgetBytes = 64 << 20;

[[noreturn]] void missing(const std::string& name, const char* why) {
  throw MediaError(fmt::format("{}: {}", name, why), "missing");
}

}  // namespace

OpenFile::~OpenFile() {
  if (descriptor >= 0) ::close(descriptor);
}

ByteReader::ByteReader(const Source& source) {
  if (source.in_memory()) {
    bytes_ = source.bytes().data();
    size_ = static_cast<std::int64_t>(source.bytes().size());
  } else {
    open(source.file(), source.name());
  }
  if (size_ == 0) throw MediaError(fmt::format("{}: the file is empty", source.name()), "empty");
  budget_ = std::max(kReadsOfWholeFile * std::min(size_, INT64_MAX / kReadsOfWholeFile),
                     kLeastBudgetBytes);
  const auto buffer_bytes = std::clamp<std::int64_t>(
      size_, 1024, source.in_memory() ? kMemoryBufferBytes : kFileBufferBytes);
  auto* buffer = static_cast<unsigned char*>(av_malloc(static_cast<std::size_t>(buffer_bytes)));
  if (buffer == nullptr) throw std::bad_alloc();
  context_.reset(avio_alloc_context(buffer, static_cast<int>(buffer_bytes), 0, this, read_packet,
                                    nullptr, seek));
  if (!context_) {
    av_free(buffer);
    throw std::bad_alloc();
  }
}

void ByteReader::open(const std::filesystem::path& file, const std::string& name) {
  // O_NONBLOCK: opening a pipe must not wait for its writer.
  file_.descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file_.descriptor < 0) missing(name, std::strerror(errno));
  struct stat status {};
  if (::fstat(file_.descriptor, &status) != 0) missing(name, std::strerror(errno));
  if (S_ISDIR(status.st_mode)) missing(name, "is a folder, expected a media file");
  if (!S_ISREG(status.st_mode)) missing(name, "is not a regular file");
  size_ = status.st_size;
}

std::size_t ByteReader::peek(std::span<std::uint8_t> into) const {
  const auto count = read_at(0, into.data(), static_cast<std::int64_t>(into.size()));
  return static_cast<std::size_t>(std::max<std::int64_t>(count, 0));
}

std::int64_t ByteReader::read_at(std::int64_t offset, std::uint8_t* into, std::int64_t size) const {
  size = std::min(size, size_ - offset);
  if (size <= 0) return 0;
  if (bytes_ != nullptr) {
    std::memcpy(into, bytes_ + offset, static_cast<std::size_t>(size));
    return size;
  }
  while (true) {
    const auto count = ::pread(file_.descriptor, into, static_cast<std::size_t>(size), offset);
    if (count >= 0 || errno != EINTR) return count >= 0 ? count : AVERROR(errno);
  }
}

int ByteReader::read_packet(void* self, std::uint8_t* into, int size) {
  auto& reader = *static_cast<ByteReader*>(self);
  if (reader.budget_ <= 0) {
    av_log(nullptr, AV_LOG_ERROR, "the demuxer reads the same bytes over and over");
    return AVERROR_INVALIDDATA;
  }
  const auto count = reader.read_at(reader.position_, into, size);
  if (count == 0) return AVERROR_EOF;
  if (count > 0) {
    reader.position_ += count;
    reader.budget_ -= count;
  }
  return static_cast<int>(count);
}

std::int64_t ByteReader::seek(void* self, std::int64_t offset, int whence) {
  auto& reader = *static_cast<ByteReader*>(self);
  switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE:
      return reader.size_;
    case SEEK_SET:
      break;
    case SEEK_CUR:
      if (__builtin_add_overflow(offset, reader.position_, &offset)) return AVERROR(EINVAL);
      break;
    case SEEK_END:
      if (__builtin_add_overflow(offset, reader.size_, &offset)) return AVERROR(EINVAL);
      break;
    default:
      return AVERROR(EINVAL);
  }
  if (offset < 0) return AVERROR(EINVAL);
  return reader.position_ = offset;
}

}  // namespace raven::media
