// Shards: plain tar files whose members can be found without reading them, by an index beside them.
// `00000.tar` has `00000.tar.index`, a TSV of member, offset, size and checksum (xxh3,
// hexadecimal). A tar that another program made, without an index, is searched for its members;
// their bytes then have no checksums to compare with.
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
  // offset: of the first byte of content; checksum: 0 without an index
  std::uint64_t offset = 0, size = 0, checksum = 0;
};

/// Reads members of one shard; the file is mapped, so bytes are valid as long as the Shard.
/// Thread-safe after construction.
class Shard {
 public:
  /// Throws DataError when the tar is missing ("missing"), the index does not fit it, or it has
  /// none and not one whole member ("corrupt"); SystemError when the index cannot be opened.
  explicit Shard(const std::filesystem::path& tar);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  [[nodiscard]] const std::filesystem::path& file() const;
  [[nodiscard]] bool has_index() const;
  /// In file order. Of a tar without an index that is damaged, those before the damage.
  [[nodiscard]] const std::vector<ShardMember>& members() const;
  /// Null when there is none of that name.
  [[nodiscard]] const ShardMember* find(std::string_view name) const;
  /// Throws DataError: "missing", or what is wrong with a tar without an index whose damage may
  /// hide the member.
  [[nodiscard]] const ShardMember& member(std::string_view name) const;
  /// Throws DataError naming shard and member: what member() throws, "corrupt" when the tar does
  /// not hold it where the index says, or "unreadable" when the disk fails or the tar was cut
  /// short.
  [[nodiscard]] std::span<const std::byte> read(std::string_view name) const;
  /// Throws DataError ("corrupt") when the bytes do not have the index's checksum; without an index
  /// they need only be readable.
  void verify(const ShardMember& member) const;
  /// Says that bytes given by read() are not needed for now, so that they need not count as this
  /// process' memory; reading them again is allowed.
  void release(std::span<const std::byte> bytes) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Entries of an index file's content. Throws DataError ("corrupt") with `file`:line.
std::vector<ShardMember> parse_shard_index(std::string_view content,
                                           const std::filesystem::path& file);

/// Writes a shard beside its place, then renames tar and index into it: a shard exists whole or
/// not.
class ShardWriter {
 public:
  /// Throws SystemError when the file cannot be made.
  explicit ShardWriter(std::filesystem::path tar);
  ~ShardWriter();  // without finish(), removes what was written
  ShardWriter(const ShardWriter&) = delete;
  ShardWriter& operator=(const ShardWriter&) = delete;

  /// Throws DataError for a name that is empty, doubled, absolute or leads out of the tar,
  /// SystemError when writing fails.
  void add(const std::string& name, std::string_view bytes);
  [[nodiscard]] std::uint64_t size() const;  // bytes of the tar so far
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace raven::data
