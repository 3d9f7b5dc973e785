#include "weights/zip_directory.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "raven/core/error.h"
#include "raven/core/utf8.h"
#include "weights/pickle.h"
#include "weights/zip_format.h"

namespace raven::weights {
namespace {

constexpr std::uint64_t kMaxEntries = 100'000;

/// Little-endian numbers of a checked piece of the file.
class Bytes {
 public:
  Bytes(std::string_view bytes, std::uint64_t begin) : bytes_(bytes.substr(begin)) {}
  template <class Number>
  [[nodiscard]] Number at(std::size_t position) const {
    Number value{};
    std::memcpy(&value, bytes_.data() + position, sizeof(value));
    return value;
  }
  [[nodiscard]] std::uint16_t u16(std::size_t position) const {
    return at<std::uint16_t>(position);
  }
  [[nodiscard]] std::uint32_t u32(std::size_t position) const {
    return at<std::uint32_t>(position);
  }
  [[nodiscard]] std::uint64_t u64(std::size_t position) const {
    return at<std::uint64_t>(position);
  }

 private:
  std::string_view bytes_;
};

struct Sizes {
  std::uint64_t content = 0, stored = 0, header = 0;
};

struct Found {
  ZipEntry entry;
  std::uint64_t header = 0;  // of its local header
  bool sizes_follow = false;
};

class Reader {
 public:
  Reader(std::string_view file, const std::string& source) : file_(file), source_(source) {}

  std::vector<ZipEntry> read() {
    read_end();
    std::vector<Found> found;
    found.reserve(count_);
    std::uint64_t next = begin_;
    for (std::uint64_t i = 0; i < count_; ++i) found.push_back(read_entry(next));
    if (next != end_) {
      refuse(fmt::format("{} bytes of the directory belong to no entry", end_ - next));
    }
    check_order(found);
    std::vector<ZipEntry> entries;
    entries.reserve(found.size());
    for (const auto& one : found) entries.push_back(one.entry);
    return entries;
  }

 private:
  [[noreturn]] void refuse(const std::string& problem) const {
    throw CheckpointError(fmt::format("{}: zip archive: {}; {}", source_, problem, kSaveAnew));
  }
  [[noreturn]] void refuse(std::string_view entry, const std::string& problem) const {
    refuse(fmt::format("entry '{}' {}", printable(entry.substr(0, 200)), problem));
  }

  /// Sets where the directory lies.
  void read_end() {
    if (file_.size() < kEndBytes) refuse("the directory at its end is missing; is it cut short?");
    const auto at = file_.size() - kEndBytes;
    const Bytes end(file_, at);
    if (end.u32(0) != kEnd) {
      refuse("the directory is not at the file's end; is it cut short, or does something follow?");
    }
    if (end.u16(20) != 0) refuse("has a comment, which torch.save does not write");
    count_ = end.u16(10);
    const std::uint64_t size = end.u32(12);
    begin_ = end.u32(16);
    end_ = at;
    if (end.u16(4) != 0 || end.u16(6) != 0 || end.u16(8) != count_) {
      refuse("is one part of several");
    }
    std::uint64_t wanted = size;
    if (at >= kLocatorBytes && Bytes(file_, at - kLocatorBytes).u32(0) == kLocator64) {
      wanted = read_end64(at - kLocatorBytes, size);
    } else if (count_ == 0xFFFF || begin_ == kIn64 || size == kIn64) {
      refuse("the zip64 end that its sizes need is missing");
    }
    if (count_ > kMaxEntries) {
      refuse(fmt::format("{} entries, expected at most {}", count_, kMaxEntries));
    }
    if (begin_ > end_ || end_ - begin_ != wanted) {
      refuse(fmt::format("directory of {} bytes at {}, where the file has room for {}", wanted,
                         begin_, begin_ > end_ ? 0 : end_ - begin_));
    }
    if (count_ > (end_ - begin_) / kCentralBytes) {
      refuse(fmt::format("{} entries in a directory of {} bytes", count_, end_ - begin_));
    }
  }

  /// The zip64 end must say what the plain end says, or what that had no room for. Returns the
  /// directory's size.
  std::uint64_t read_end64(std::uint64_t locator_at, std::uint64_t size32) {
    const Bytes locator(file_, locator_at);
    const auto at = locator.u64(8);
    if (locator_at < kEnd64Bytes || at != locator_at - kEnd64Bytes || locator.u32(4) != 0 ||
        locator.u32(16) != 1) {
      refuse("the zip64 end is not where its locator says");
    }
    const Bytes end(file_, at);
    if (end.u32(0) != kEnd64 || end.u64(4) != kEnd64Bytes - 12 || end.u32(16) != 0 ||
        end.u32(20) != 0 || end.u64(24) != end.u64(32)) {
      refuse("the zip64 end is malformed");
    }
    const auto agrees = [](std::uint64_t narrow, std::uint64_t most, std::uint64_t wide) {
      return narrow == wide || narrow == most;
    };
    if (!agrees(count_, 0xFFFF, end.u64(32)) || !agrees(size32, kIn64, end.u64(40)) ||
        !agrees(begin_, kIn64, end.u64(48))) {
      refuse("the zip64 end and the plain end disagree");
    }
    count_ = end.u64(32);
    begin_ = end.u64(48);
    end_ = at;
    return end.u64(40);
  }

  /// `next` is moved behind the entry.
  Found read_entry(std::uint64_t& next) {
    if (end_ - next < kCentralBytes) refuse("the directory ends within an entry");
    const Bytes header(file_, next);
    const std::uint64_t name_bytes = header.u16(28), extra_bytes = header.u16(30);
    if (header.u32(0) != kCentralHeader ||
        end_ - next - kCentralBytes < name_bytes + extra_bytes + header.u16(32)) {
      refuse(fmt::format("no directory entry at byte {}", next));
    }
    const auto name = file_.substr(next + kCentralBytes, name_bytes);
    check_name(name);
    const auto flags = header.u16(8), method = header.u16(10);
    check_kind(name, flags, method);
    if (header.u16(32) != 0) refuse(name, "has a comment, which torch.save does not write");
    if (header.u16(34) != 0) refuse(name, "lies on another disk");
    Sizes sizes{.content = header.u32(24), .stored = header.u32(20), .header = header.u32(42)};
    read_extra(name, file_.substr(next + kCentralBytes + name_bytes, extra_bytes), sizes);
    if (sizes.content != sizes.stored) {
      refuse(name, fmt::format("is said to be stored as it is, but takes {} bytes for {}",
                               sizes.stored, sizes.content));
    }
    next += kCentralBytes + name_bytes + extra_bytes;
    auto found = locate(name, flags, sizes);
    found.entry.crc = header.u32(kCentralCrc);
    return found;
  }

  void check_name(std::string_view name) {
    if (name.empty()) refuse("an entry without a name");
    if (!is_utf8(name)) refuse(name, "has a name that is not UTF-8");
    if (name.find('\\') != name.npos || name.find('\0') != name.npos) {
      refuse(name, "has a backslash or a zero byte in its name");
    }
    if (name.front() == '/') refuse(name, "has an absolute name");
    for (std::size_t begin = 0; begin <= name.size();) {
      const auto end = std::min(name.find('/', begin), name.size());
      const auto part = name.substr(begin, end - begin);
      if (part.empty() || part == "." || part == "..") {
        refuse(name, part == ".." ? "has a name that climbs out of the archive"
                                  : "has a name with an empty part");
      }
      begin = end + 1;
    }
    if (!names_.insert(name).second) refuse(name, "is there twice");
  }

  void check_kind(std::string_view name, std::uint16_t flags, std::uint16_t method) const {
    if ((flags & kEncrypted) != 0) refuse(name, "is encrypted");
    if (method != 0 && is_torchscript(name)) {  // its code alone is compressed
      throw CheckpointError(fmt::format("{}: {}", source_, kTorchScript));
    }
    if (method != 0) {
      refuse(name, fmt::format("is compressed (method {}); torch.save stores entries as they are",
                               method));
    }
    if ((flags & ~(kSizesFollow | kUtf8)) != 0) {
      refuse(name, fmt::format("has flags {:#06x}, which torch.save does not set", flags));
    }
  }

  /// Numbers that had no room in the directory, in their fixed order, from the zip64 field.
  void read_extra(std::string_view name, std::string_view extra, Sizes& sizes) const {
    std::string_view wide;
    bool found = false;
    while (!extra.empty()) {
      if (extra.size() < 4 || Bytes(extra, 0).u16(2) > extra.size() - 4) {
        refuse(name, "has a malformed extra field");
      }
      const auto length = Bytes(extra, 0).u16(2);
      if (Bytes(extra, 0).u16(0) == kZip64Field) {
        if (found) refuse(name, "has two zip64 fields");
        found = true;
        wide = extra.substr(4, length);
      }
      extra.remove_prefix(4U + length);
    }
    for (auto* number : {&sizes.content, &sizes.stored, &sizes.header}) {
      if (*number != kIn64) continue;
      if (wide.size() < 8) refuse(name, "lacks the zip64 field that its sizes need");
      *number = Bytes(wide, 0).u64(0);
      wide.remove_prefix(8);
    }
  }

  /// Finds the content by the entry's own header, which must agree with the directory.
  Found locate(std::string_view name, std::uint16_t flags, const Sizes& sizes) const {
    if (sizes.header > begin_ || begin_ - sizes.header < kLocalBytes) {
      refuse(name, fmt::format("begins at byte {}, beyond the entries", sizes.header));
    }
    const Bytes local(file_, sizes.header);
    const std::uint64_t name_bytes = local.u16(26), extra_bytes = local.u16(28);
    const auto room = begin_ - sizes.header - kLocalBytes;
    if (local.u32(0) != kLocalHeader || room < name_bytes + extra_bytes) {
      refuse(name, fmt::format("has no header at byte {}", sizes.header));
    }
    const auto content = sizes.header + kLocalBytes + name_bytes + extra_bytes;
    if (file_.substr(sizes.header + kLocalBytes, name_bytes) != name) {
      refuse(name, "has another name in its own header");
    }
    if (local.u16(6) != flags || local.u16(8) != 0) {
      refuse(name, "has other flags in its own header");
    }
    check_local_sizes(name, local, flags, sizes);
    if (sizes.content > begin_ - content) {
      refuse(name,
             fmt::format("has {} bytes, where only {} follow", sizes.content, begin_ - content));
    }
    return {.entry = {.name = name, .begin = content, .size = sizes.content},
            .header = sizes.header,
            .sizes_follow = (flags & kSizesFollow) != 0};
  }

  void check_local_sizes(std::string_view name, const Bytes& local, std::uint16_t flags,
                         const Sizes& sizes) const {
    for (const std::uint64_t size : {local.u32(18), local.u32(22)}) {
      const bool left_out = (flags & kSizesFollow) != 0 && size == 0;
      if (size != sizes.content && size != kIn64 && !left_out) {
        refuse(name, fmt::format("has {} bytes by its own header and {} by the directory", size,
                                 sizes.content));
      }
    }
  }

  /// Entries fill the file from its start to the directory, one behind the other.
  void check_order(const std::vector<Found>& found) const {
    std::vector<const Found*> order;
    order.reserve(found.size());
    for (const auto& one : found) order.push_back(&one);
    std::sort(order.begin(), order.end(),
              [](const auto* a, const auto* b) { return a->header < b->header; });
    std::uint64_t end = 0;  // of the content so far
    bool sizes_follow = false;
    const auto check_gap = [&](std::uint64_t begin, const std::string& before) {
      if (begin < end) refuse(before + " overlaps another entry");
      const auto gap = begin - end;  // sizes that follow: 3 or 5 words, with or without a mark
      const bool known = sizes_follow ? gap == 12 || gap == 16 || gap == 20 || gap == 24 : gap == 0;
      if (!known) refuse(fmt::format("{} unexplained bytes before {}", gap, before));
    };
    for (const auto* one : order) {
      check_gap(one->header, fmt::format("entry '{}'", printable(one->entry.name.substr(0, 200))));
      end = one->entry.begin + one->entry.size;
      sizes_follow = one->sizes_follow;
    }
    check_gap(begin_, "the directory");
  }

  std::string_view file_;
  const std::string& source_;
  std::uint64_t count_ = 0, begin_ = 0, end_ = 0;  // of the directory
  std::unordered_set<std::string_view> names_;
};

}  // namespace

bool is_torchscript(std::string_view entry) {
  const auto name = entry.substr(std::min(entry.find('/'), entry.size() - 1) + 1);
  return name == "constants.pkl" || name.starts_with("code/");
}

std::vector<ZipEntry> read_zip_directory(std::string_view file, const std::string& source) {
  return Reader(file, source).read();
}

}  // namespace raven::weights
