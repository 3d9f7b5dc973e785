// Files of torch.save made byte by byte, right and wrong ones: pickles by instruction, zip archives
// by header.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace raven::archive_bytes {

template <class Number>
std::string little(Number value) {
  std::string bytes(sizeof(value), '\0');
  std::memcpy(bytes.data(), &value, sizeof(value));
  return bytes;
}

/// A pickle of protocol 2, one instruction a call (names as in Python's pickletools).
class Pickle {
 public:
  explicit Pickle(int protocol = 2) : bytes_{'\x80', static_cast<char>(protocol)} {}

  Pickle& raw(const std::string& bytes) { return bytes_ += bytes, *this; }
  Pickle& op(int opcode) { return bytes_ += static_cast<char>(opcode), *this; }
  Pickle& op(int opcode, const std::string& argument) { return op(opcode).raw(argument); }
  Pickle& mark() { return op('('); }
  Pickle& text(const std::string& text) {
    return op('X', little(static_cast<std::uint32_t>(text.size()))).raw(text);
  }
  Pickle& number(std::int64_t value) { return op(0x8A, '\x08' + little(value)); }
  Pickle& global(const std::string& module, const std::string& name) {
    return op('c', module + "\n" + name + "\n");
  }
  Pickle& dict() { return op('}'); }
  Pickle& list() { return op(']'); }
  Pickle& none() { return op('N'); }
  Pickle& ordered_dict() { return global("collections", "OrderedDict").op(')').op('R'); }
  Pickle& tuple(const std::vector<std::int64_t>& values) {
    mark();
    for (const auto value : values) number(value);
    return op('t');
  }
  Pickle& storage(const std::string& type, const std::string& key, std::int64_t elements) {
    return mark()
        .text("storage")
        .global("torch", type)
        .text(key)
        .text("cpu")
        .number(elements)
        .op('t')
        .op('Q');
  }
  /// The legacy layout's storage has one value more.
  Pickle& legacy_storage(const std::string& type, const std::string& key, std::int64_t elements) {
    return mark()
        .text("storage")
        .global("torch", type)
        .text(key)
        .text("cpu")
        .number(elements)
        .none()
        .op('t')
        .op('Q');
  }
  /// What is between the storage and the end of _rebuild_tensor_v2's arguments.
  Pickle& view(std::int64_t offset, const std::vector<std::int64_t>& sizes,
               const std::vector<std::int64_t>& strides) {
    return number(offset).tuple(sizes).tuple(strides).op(0x89).ordered_dict();
  }
  /// A float32 tensor on storage `key`.
  Pickle& tensor(const std::string& key, std::int64_t elements, std::int64_t offset,
                 const std::vector<std::int64_t>& sizes, const std::vector<std::int64_t>& strides) {
    return global("torch._utils", "_rebuild_tensor_v2")
        .mark()
        .storage("FloatStorage", key, elements)
        .view(offset, sizes, strides)
        .op('t')
        .op('R');
  }
  /// {"w": what `value` pushes}
  Pickle& dict_of(const std::function<void(Pickle&)>& value) {
    dict().text("w");
    value(*this);
    return op('s');
  }
  [[nodiscard]] std::string stop() const { return bytes_ + "."; }
  [[nodiscard]] const std::string& unfinished() const { return bytes_; }

 private:
  std::string bytes_;
};

/// One entry and what its headers say of it. Numbers below 0: the truth.
struct Entry {
  std::string name, content;
  std::string local_name = {};  // empty: the same
  std::uint16_t flags = 0, method = 0;
  std::int64_t size = -1, stored = -1, local_size = -1, offset = -1;
  std::string extra = {};  // of the directory
};

struct ZipOptions {
  std::string before, after, comment;
  std::int64_t count = -1, directory_size = -1, directory_offset = -1;
  std::uint16_t disk = 0;
  std::string end64 = {};  // bytes before the plain end
};

inline std::string zip(const std::vector<Entry>& entries, const ZipOptions& options = {}) {
  const auto or_truth = [](std::int64_t said, std::size_t truth) {
    return static_cast<std::uint32_t>(said < 0 ? static_cast<std::int64_t>(truth) : said);
  };
  const auto u16 = [](std::size_t value) { return little(static_cast<std::uint16_t>(value)); };
  std::string file = options.before, directory;
  for (const auto& entry : entries) {
    const auto at = file.size();
    const auto& local_name = entry.local_name.empty() ? entry.name : entry.local_name;
    file += little(0x04034B50U) + u16(20) + u16(entry.flags) + u16(entry.method) + u16(0) + u16(0) +
            little(0U) + little(or_truth(entry.local_size, entry.content.size())) +
            little(or_truth(entry.local_size, entry.content.size())) + u16(local_name.size()) +
            u16(0) + local_name + entry.content;
    directory += little(0x02014B50U) + u16(20) + u16(20) + u16(entry.flags) + u16(entry.method) +
                 u16(0) + u16(0) + little(0U) +
                 little(or_truth(entry.stored, entry.content.size())) +
                 little(or_truth(entry.size, entry.content.size())) + u16(entry.name.size()) +
                 u16(entry.extra.size()) + u16(0) + u16(0) + u16(0) + little(0U) +
                 little(or_truth(entry.offset, at)) + entry.name + entry.extra;
  }
  const auto at = file.size();
  file += directory + options.end64;
  const auto count = options.count < 0 ? entries.size() : static_cast<std::size_t>(options.count);
  return file + little(0x06054B50U) + u16(options.disk) + u16(options.disk) + u16(count) +
         u16(count) + little(or_truth(options.directory_size, directory.size())) +
         little(or_truth(options.directory_offset, at)) + u16(options.comment.size()) +
         options.comment + options.after;
}

/// The entries of an archive with that data.pkl and storage '0' of twelve floats.
inline std::vector<Entry> entries(const std::string& pickle) {
  return {{.name = "archive/data.pkl", .content = pickle},
          {.name = "archive/version", .content = "3\n"},
          {.name = "archive/byteorder", .content = "little"},
          {.name = "archive/data/0", .content = std::string(48, '\x01')}};
}

inline std::string archive(const std::string& pickle) { return zip(entries(pickle)); }

/// {"w": 3 x 4 floats on storage '0'}
inline std::string good_pickle() {
  return Pickle().dict_of([](Pickle& p) { p.tensor("0", 12, 0, {3, 4}, {4, 1}); }).stop();
}

inline std::string legacy_start(int little_endian = 0x88) {
  return Pickle().op(0x8A, std::string("\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 11)).stop() +
         Pickle().number(1001).stop() +
         Pickle().dict().text("little_endian").op(little_endian).op('s').stop();
}

inline std::string legacy_pickle() {
  return Pickle()
      .dict_of([](Pickle& p) {
        p.global("torch._utils", "_rebuild_tensor_v2")
            .mark()
            .legacy_storage("FloatStorage", "17", 12)
            .view(0, {3, 4}, {4, 1})
            .op('t')
            .op('R');
      })
      .stop();
}

inline std::string legacy_keys(const std::vector<std::string>& keys) {
  Pickle pickle;
  pickle.list().mark();
  for (const auto& key : keys) pickle.text(key);
  return pickle.op('e').stop();
}

inline std::string good_legacy_file() {
  return legacy_start() + legacy_pickle() + legacy_keys({"17"}) + little(std::int64_t{12}) +
         std::string(48, '\x01');
}

}  // namespace raven::archive_bytes
