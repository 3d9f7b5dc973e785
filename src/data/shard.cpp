#include "raven/data/shard.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <unordered_map>
#include <utility>

#include "data/tar_format.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/new_file.h"

namespace raven::data {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kIndexHeader = "member\toffset\tsize\tchecksum";
constexpr std::uint64_t kMaxIndexBytes = 1ULL << 30;

fs::path index_of(const fs::path& tar) {
  auto index = tar;
  index += ".index";
  return index;
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A whole file, mapped for reading.
class MappedFile {
 public:
  explicit MappedFile(const fs::path& file) {
    const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
      const auto message = fmt::format("cannot open {}: {}", file.string(), std::strerror(errno));
      if (errno == ENOENT || errno == ENOTDIR) throw DataError(message, "missing");
      throw SystemError(message);
    }
    struct stat status {};
    if (::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
      size_ = static_cast<std::size_t>(status.st_size);
      address_ = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, descriptor, 0);
    }
    ::close(descriptor);
    if (address_ == MAP_FAILED)
      throw SystemError(fmt::format("cannot map {}: {}", file.string(), std::strerror(errno)));
    if (address_ == nullptr)
      throw DataError(fmt::format("{}: empty, or no plain file", file.string()));
  }
  ~MappedFile() { ::munmap(address_, size_); }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  [[nodiscard]] std::span<const std::byte> bytes() const {
    return {static_cast<const std::byte*>(address_), size_};
  }

 private:
  void* address_ = nullptr;
  std::size_t size_ = 0;
};

/// For the pages that `bytes` touch; false, with errno, when the kernel refuses.
bool advise(std::span<const std::byte> bytes, int advice) {
  static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data()) / page * page;
  const auto end = reinterpret_cast<std::uintptr_t>(bytes.data()) + bytes.size();
  return ::madvise(reinterpret_cast<void*>(begin), end - begin, advice) == 0;
}

template <class Number>
bool parse_number(std::string_view text, int base, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() && end == text.data() + text.size();
}

bool parse_entry(std::string_view line, ShardMember& member) {
  std::string_view fields[4];
  for (std::size_t i = 0; i < 4; ++i) {
    const auto tab = i < 3 ? line.find('\t') : line.size();
    if (tab == std::string_view::npos) return false;
    fields[i] = line.substr(0, tab);
    line.remove_prefix(std::min(line.size(), tab + 1));
  }
  member.name = std::string(fields[0]);
  return !member.name.empty() && parse_number(fields[1], 10, member.offset) &&
         parse_number(fields[2], 10, member.size) && fields[3].size() == 16 &&
         parse_number(fields[3], 16, member.checksum);
}

}  // namespace

std::vector<ShardMember> parse_shard_index(std::string_view content, const fs::path& file) {
  std::vector<ShardMember> members;
  for (std::size_t number = 1; !content.empty(); ++number) {
    const auto end = content.find('\n');
    const auto line = content.substr(0, end);
    if (end == std::string_view::npos) {
      throw DataError(fmt::format("{}:{}: cut off; build the shard again", file.string(), number));
    }
    content.remove_prefix(end + 1);
    if (number == 1) {
      if (line != kIndexHeader)
        throw DataError(fmt::format("{}:1: no index of a shard", file.string()));
      continue;
    }
    if (ShardMember member; parse_entry(line, member)) {
      members.push_back(std::move(member));
    } else {
      throw DataError(
          fmt::format("{}:{}: expected member, offset, size and checksum; build the shard again",
                      file.string(), number));
    }
  }
  return members;
}

struct Shard::State {
  explicit State(const fs::path& tar) : file(tar), mapped(tar) {}

  /// Bytes of the tar, read from the disk here, where a file cut short or a broken disk is an error
  /// and no SIGBUS. `what` is named in messages.
  [[nodiscard]] std::span<const std::byte> load(std::uint64_t offset, std::uint64_t size,
                                                std::string_view what) const {
    const auto bytes = mapped.bytes().subspan(offset, size);
#ifdef MADV_POPULATE_READ
    // Kernels before 5.14 do not know this (EINVAL).
    if (!bytes.empty() && !advise(bytes, MADV_POPULATE_READ) && errno != EINVAL) {
      throw DataError(fmt::format("{}: cannot read '{}': {}; was the file cut short while in use?",
                                  file.string(), what, std::strerror(errno)),
                      "unreadable");
    }
#endif
    return bytes;
  }

  void read_index(const fs::path& index);
  void look_for_members();

  [[noreturn]] void does_not_fit(const ShardMember& member) const {
    throw DataError(fmt::format(
        "{}: the index places '{}' at byte {} ({} bytes), where the tar does not hold it; "
        "tar or index is damaged, build the shard again",
        file.string(), member.name, member.offset, member.size));
  }

  fs::path file;
  MappedFile mapped;
  std::vector<ShardMember> members;
  std::unordered_map<std::string_view, const ShardMember*> by_name;
  bool has_index = true;
  std::optional<DataError> fault;  // behind the members, in a tar without an index
};

void Shard::State::read_index(const fs::path& index) {
  members = parse_shard_index(read_file(index, kMaxIndexBytes), index);
  const auto file_size = mapped.bytes().size();
  by_name.reserve(members.size());
  for (const auto& member : members) {
    if (member.offset < kTarBlock || member.offset % kTarBlock != 0 || member.offset > file_size ||
        member.size > file_size - member.offset) {
      does_not_fit(member);
    }
    if (!by_name.emplace(member.name, &member).second) {
      throw DataError(fmt::format("{}: lists '{}' twice", index.string(), member.name));
    }
  }
}

/// Of several members of one name the last counts, as for tar.
void Shard::State::look_for_members() {
  has_index = false;
  const auto read = [this](std::uint64_t offset, std::uint64_t size) {
    return load(offset, size, "headers of members");
  };
  auto listing = list_tar(mapped.bytes().size(), read, file.string());
  if (listing.fault && listing.members.empty()) throw DataError(*listing.fault);
  fault = std::move(listing.fault);
  for (auto& found : listing.members) {
    members.push_back({.name = std::move(found.name), .offset = found.offset, .size = found.size});
  }
  by_name.reserve(members.size());
  for (const auto& member : members) by_name[member.name] = &member;
}

Shard::Shard(const fs::path& tar) : state_(std::make_unique<State>(tar)) {
  const auto index = index_of(tar);
  std::error_code code;
  const bool has_index = fs::exists(index, code);
  // Where a tar's own name is nearly too long for the file system, there can be none beside it.
  if (code && code != std::errc::filename_too_long) throw_system_error("open", index, code.value());
  if (has_index) {
    state_->read_index(index);
  } else {
    state_->look_for_members();
  }
}

Shard::~Shard() = default;

const fs::path& Shard::file() const { return state_->file; }

bool Shard::has_index() const { return state_->has_index; }

const std::vector<ShardMember>& Shard::members() const { return state_->members; }

const ShardMember* Shard::find(std::string_view name) const {
  const auto found = state_->by_name.find(name);
  return found == state_->by_name.end() ? nullptr : found->second;
}

const ShardMember& Shard::member(std::string_view name) const {
  if (const auto* found = find(name)) return *found;
  if (state_->fault) {
    throw DataError(fmt::format("{}; '{}' is not among the {} members before it",
                                state_->fault->what(), name, members().size()),
                    state_->fault->reason());
  }
  throw DataError(fmt::format("{}: no member '{}'", state_->file.string(), name), "missing");
}

std::span<const std::byte> Shard::read(std::string_view name) const {
  const auto* member = &this->member(name);
  const auto block = state_->load(member->offset - kTarBlock, kTarBlock + member->size, name);
  const auto header = block.first(kTarBlock);
  const bool fits = state_->has_index ? tar_content_size(header) == member->size
                                      : parse_tar_header(header).has_value();
  if (!fits) state_->does_not_fit(*member);
  return block.subspan(kTarBlock);
}

void Shard::verify(const ShardMember& member) const {
  const auto found = checksum(as_text(read(member.name)));
  if (!state_->has_index) return;
  if (found != member.checksum) {
    throw DataError(fmt::format("{}: '{}' has checksum {}, the index says {}; the file is damaged",
                                state_->file.string(), member.name, checksum_text(found),
                                checksum_text(member.checksum)));
  }
}

void Shard::release(std::span<const std::byte> bytes) const { advise(bytes, MADV_DONTNEED); }

struct ShardWriter::State {
  explicit State(fs::path path) : tar(std::move(path)), out(tar) {}

  fs::path tar;
  NewFile out;
  std::string index = std::string(kIndexHeader) + "\n";
  std::unordered_map<std::string, std::uint64_t> offsets;
  bool finished = false;
};

ShardWriter::ShardWriter(fs::path tar) : state_(std::make_unique<State>(std::move(tar))) {}

ShardWriter::~ShardWriter() = default;

void ShardWriter::add(const std::string& name, std::string_view bytes) {
  constexpr std::size_t kLongestName = 4096;
  const auto refuse = [&](const char* why) {
    throw DataError(fmt::format("{}: cannot hold a member '{}': {}", state_->tar.string(),
                                name.substr(0, 200), why));
  };
  if (name.empty() || name.size() > kLongestName) refuse("the name must have 1 to 4096 bytes");
  if (name.find_first_of(std::string_view("\t\n\r\0", 4)) != std::string::npos)
    refuse("control characters");
  if (name.front() == '/' || fs::path(name).lexically_normal() != fs::path(name))
    refuse("the name must be a plain relative path");
  if (name == ".." || name.starts_with("../")) refuse("the name leads out of the tar");
  if (bytes.size() > kTarMaxSize) refuse("larger than 8 GiB");
  if (state_->offsets.contains(name)) refuse("it has one already");
  const auto header = tar_header(name, bytes.size());
  const auto offset = state_->out.size() + header.size();
  state_->out.write(header);
  state_->out.write(bytes);
  state_->out.write(std::string(tar_padding(bytes.size()), '\0'));
  state_->offsets.emplace(name, offset);
  state_->index +=
      fmt::format("{}\t{}\t{}\t{}\n", name, offset, bytes.size(), checksum_text(checksum(bytes)));
}

std::uint64_t ShardWriter::size() const { return state_->out.size(); }

void ShardWriter::finish() {
  RAVEN_CHECK(!state_->finished, "{} is finished twice", state_->tar.string());
  state_->out.write(std::string(2 * kTarBlock, '\0'));  // the end of a tar
  state_->out.flush();
  const auto index = index_of(state_->tar);
  std::error_code ignored;
  fs::remove(index, ignored);  // an index of an older tar must not meet the new one
  state_->out.commit();
  state_->finished = true;
  write_file_atomically(index, state_->index);
}

}  // namespace raven::data
