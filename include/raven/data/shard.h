// Shards: plain tar files whose members can be found without reading them, by an index beside them.
// `00000.tar` has `00000.tar.index`, a TSV of member, offset, size and checksum (xxh3, hexadecimal).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace raven::data {

struct ShardMember {
  std::string name;
  std::uint64_t offset = 0, size = 0, checksum = 0;
};

/// Reads members of one shard; the file is mapped, so bytes are valid as long as the Shard. Thread-safe
/// after construction.
class Shard {
 public:
  /// Throws DataError when tar or index is missing, or the index does not fit the file.
  explicit Shard(const std::filesystem::path& tar);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  [[nodiscard]] const std::vector<ShardMember>& members() const;  // in file order
  /// Throws DataError ("missing") naming shard and member.
  [[nodiscard]] std::span<const std::byte> read(std::string_view name) const;
  /// Throws DataError ("corrupt") when the bytes do not have the index's checksum.
  void verify(const ShardMember& member) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Writes a shard as `<tar>.tmp`, then renames tar and index into place: a shard exists whole or not.
class ShardWriter {
 public:
  explicit ShardWriter(std::filesystem::path tar);
  ~ShardWriter();  // without finish(), removes what was written
  ShardWriter(const ShardWriter&) = delete;
  ShardWriter& operator=(const ShardWriter&) = delete;

  void add(const std::string& name, std::string_view bytes);
  [[nodiscard]] std::uint64_t size() const;
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace raven::data
