#include "raven/data/shard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "support/temporary_folder.h"

namespace raven::data {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Names of 100 bytes and less, of a form that fits ustar's two fields, and of one that fits none.
const std::vector<std::string> kNames = {
    "a.mp4", "dir/b.wav", std::string(100, 'c'),
    std::string(90, 'd') + "/" + std::string(80, 'e') + ".npy",
    std::string(180, 'f') + "/" + std::string(150, 'g') + ".mp4"};

fs::path write_shard(const fs::path& folder) {
  const auto tar = folder / "0.tar";
  ShardWriter writer(tar);
  for (std::size_t i = 0; i < kNames.size(); ++i)
    writer.add(kNames[i], std::string(i * 511, static_cast<char>('0' + i)));
  writer.finish();
  return tar;
}

TEST(Shard, GivesBackWhatWasWritten) {
  const TemporaryFolder folder;
  const Shard shard(write_shard(folder.path()));
  ASSERT_EQ(shard.members().size(), kNames.size());
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    EXPECT_EQ(shard.members()[i].name, kNames[i]);
    EXPECT_EQ(text_of(shard.read(kNames[i])), std::string(i * 511, static_cast<char>('0' + i)));
    EXPECT_NO_THROW(shard.verify(shard.members()[i]));
  }
}

TEST(Shard, IsReadByTheSystemsTar) {
  const TemporaryFolder folder;
  const auto tar = write_shard(folder.path());
  const auto out = folder.path() / "out";
  fs::create_directory(out);
  // GNU tar with warnings as text: a broken end or header would show in its exit status.
  ASSERT_EQ(system(("tar -xf " + tar.string() + " -C " + out.string()).c_str()), 0);
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    EXPECT_EQ(read_file(out / kNames[i]), std::string(i * 511, static_cast<char>('0' + i)))
        << kNames[i];
  }
}

TEST(Shard, HasTheSameBytesEveryTime) {
  const TemporaryFolder a, b;
  EXPECT_EQ(read_file(write_shard(a.path())), read_file(write_shard(b.path())));
}

TEST(Shard, NamesAMissingMember) {
  const TemporaryFolder folder;
  const Shard shard(write_shard(folder.path()));
  try {
    (void)shard.read("nothing.mp4");
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("0.tar: no member 'nothing.mp4'"));
    EXPECT_EQ(error.reason(), "missing");
  }
  EXPECT_EQ(shard.find("nothing.mp4"), nullptr);
}

TEST(Shard, FindsMembersWithoutAnIndex) {
  const TemporaryFolder folder;
  const auto tar = write_shard(folder.path());
  EXPECT_THROW(Shard(folder.path() / "1.tar"), DataError);
  const auto indexed = Shard(tar).members();
  fs::remove(tar.string() + ".index");
  const Shard shard(tar);
  ASSERT_EQ(shard.members().size(), kNames.size());
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    EXPECT_EQ(shard.members()[i].name, kNames[i]);
    EXPECT_EQ(shard.members()[i].offset, indexed[i].offset);
    EXPECT_EQ(text_of(shard.read(kNames[i])), std::string(i * 511, static_cast<char>('0' + i)));
    EXPECT_NO_THROW(shard.verify(shard.members()[i]));
  }
}

TEST(Shard, ReadsTarsOfOtherPrograms) {
  const TemporaryFolder folder;
  const std::string deep = "in/" + std::string(120, 'd') + "/" + std::string(200, 'n') + ".npy";
  for (const std::string format : {"v7", "oldgnu", "gnu", "ustar", "pax"}) {
    const auto from = folder.path() / format;
    const bool long_names = format != "v7" && format != "ustar";
    fs::create_directories((from / deep).parent_path());
    write_file_atomically(from / "a.wav", "sound");
    write_file_atomically(from / "empty.txt", "");
    if (long_names) write_file_atomically(from / deep, std::string(5000, 'x'));
    fs::create_symlink("a.wav", from / "link.wav");
    fs::create_hard_link(from / "a.wav", from / "z.wav");
    if (!long_names) fs::remove_all(from / "in");
    const auto tar = folder.path() / (format + ".tar");
    ASSERT_EQ(system(("tar --sort=name --format=" + format + " -C " + from.string() + " -cf " +
                      tar.string() + " .")
                         .c_str()),
              0);
    const Shard shard(tar);
    EXPECT_EQ(text_of(shard.read("a.wav")), "sound") << format;
    EXPECT_EQ(shard.read("empty.txt").size(), 0U) << format;
    if (long_names) EXPECT_EQ(text_of(shard.read(deep)), std::string(5000, 'x')) << format;
    EXPECT_EQ(shard.find("link.wav"), nullptr) << format;
    EXPECT_EQ(shard.members().size(), long_names ? 3U : 2U) << format;
  }
}

/// A tar of two members without an index, to be damaged.
std::string two_members(const TemporaryFolder& folder) {
  const auto tar = folder.path() / "two.tar";
  ShardWriter writer(tar);
  writer.add("a.wav", std::string(700, 'a'));
  writer.add(std::string(300, 'p') + ".wav", std::string(100, 'b'));  // with a pax header
  writer.finish();
  fs::remove(tar.string() + ".index");
  return read_file(tar);
}

/// The header block at `offset` with other bytes in a field, and the right checksum again.
std::string with_field(std::string tar, std::size_t offset, std::size_t field,
                       std::string_view bytes) {
  tar.replace(offset + field, bytes.size(), bytes);
  tar.replace(offset + 148, 8, 8, ' ');
  unsigned sum = 0;
  for (std::size_t i = 0; i < 512; ++i) sum += static_cast<unsigned char>(tar[offset + i]);
  tar.replace(offset + 148, 8, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
  return tar;
}

TEST(Shard, RefusesHostileTarsWithoutAnIndex) {
  const TemporaryFolder folder;
  const auto good = two_members(folder);
  const auto file = folder.path() / "bad.tar";
  const std::string big("\x80\0\0\0\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 12);
  const std::string negative(12, '\xFF');
  const struct {
    const char* what;
    std::string content;
  } cases[] = {
      {"no tar", std::string(10240, 'x')},
      {"compressed", "\x1F\x8B\x08" + std::string(2000, '\x55')},
      {"a size beyond the file", with_field(good, 0, 124, "77777777777")},
      {"a size beyond all files", with_field(good, 0, 124, big)},
      {"a negative size", with_field(good, 0, 124, negative)},
      {"cut off in a member", good.substr(0, 1000)},
      {"a sparse file", with_field(good, 0, 156, "S")},
      {"a long name that is too long",
       with_field(with_field(good, 0, 156, "L"), 0, 124, "00000020000")},
      {"a pax header that is too long",
       with_field(with_field(good, 0, 156, "x"), 0, 124, "00010000000")},
      {"a pax header of nonsense", with_field(good, 0, 156, "x")},
  };
  for (const auto& [what, content] : cases) {
    std::ofstream(file, std::ios::binary) << content;
    try {
      const Shard shard(file);
      ADD_FAILURE() << what << " was read";
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr("bad.tar: byte ")) << what;
      EXPECT_EQ(error.reason(), "corrupt") << what;
    }
  }
}

TEST(Shard, OfADamagedTarWithoutAnIndexWhatIsWholeIsRead) {
  const TemporaryFolder folder;
  const auto good = two_members(folder);
  const auto file = folder.path() / "bad.tar";
  const auto second = std::size_t{512 + 1024};  // where its headers begin
  for (const auto& content : {std::string(good).replace(second, 512, 512, 'x'),
                              good.substr(0, second + 1536 + 50)}) {  // in its content
    std::ofstream(file, std::ios::binary) << content;
    const Shard shard(file);
    ASSERT_EQ(shard.members().size(), 1U);
    EXPECT_EQ(text_of(shard.read("a.wav")), std::string(700, 'a'));
    try {
      (void)shard.read("b.wav");
      FAIL();
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr("bad.tar: byte "));
      EXPECT_THAT(error.what(), HasSubstr("'b.wav' is not among the 1 members before it"));
      EXPECT_EQ(error.reason(), "corrupt");
    }
  }
}

TEST(Shard, SaysWhenItsIndexCannotBeOpened) {
  const TemporaryFolder folder;
  const auto tar = write_shard(folder.path());
  EXPECT_TRUE(Shard(tar).has_index());
  const fs::path index = tar.string() + ".index";
  fs::remove(index);
  EXPECT_FALSE(Shard(tar).has_index());
  fs::create_symlink(index.filename(), index);  // leads to itself
  try {
    const Shard shard(tar);
    FAIL();
  } catch (const SystemError& error) {
    EXPECT_THAT(error.what(), HasSubstr("cannot open " + index.string()));
  }
}

TEST(Shard, SurvivesEveryChangedByteOfATarWithoutAnIndex) {
  const TemporaryFolder folder;
  const auto good = two_members(folder);
  const auto file = folder.path() / "bad.tar";
  const auto names = {std::string("a.wav"), std::string(300, 'p') + ".wav"};
  int refused = 0;
  for (std::size_t i = 0; i < good.size(); i += 7) {
    auto bad = good;
    bad[i] = static_cast<char>(bad[i] ^ (1 << (i % 8)));
    std::ofstream(file, std::ios::binary) << bad;
    try {
      const Shard shard(file);
      for (const auto& member : shard.members()) shard.verify(member);
      for (const auto& name : names) (void)shard.read(name);
    } catch (const DataError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 100);
}

TEST(Shard, OfTwoMembersOfOneNameTheLastCounts) {
  const TemporaryFolder folder;
  write_file_atomically(folder.path() / "a", "old");
  const auto add = [&](const char* option) {
    return system(("tar -C " + folder.path().string() + " " + option + "f " +
                   (folder.path() / "0.tar").string() + " a")
                      .c_str());
  };
  ASSERT_EQ(add("-c"), 0);
  write_file_atomically(folder.path() / "a", "newer");
  ASSERT_EQ(add("-r"), 0);
  EXPECT_EQ(text_of(Shard(folder.path() / "0.tar").read("a")), "newer");
}

TEST(Shard, FindsFlippedBitsOfContent) {
  const TemporaryFolder folder;
  const auto tar = write_shard(folder.path());
  const auto member = Shard(tar).members()[2];
  {
    std::fstream file(tar, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(member.offset + 100));
    file.put('x');
  }
  const Shard shard(tar);
  EXPECT_NO_THROW(shard.verify(shard.members()[1]));
  try {
    shard.verify(shard.members()[2]);
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("checksum"));
    EXPECT_EQ(error.reason(), "corrupt");
  }
}

TEST(Shard, RefusesATruncatedTar) {
  const TemporaryFolder folder;
  const auto tar = write_shard(folder.path());
  const auto whole = fs::file_size(tar);
  for (const auto size :
       {std::uintmax_t{0}, std::uintmax_t{1}, std::uintmax_t{512}, whole / 2, whole - 2048}) {
    fs::resize_file(tar, size);
    EXPECT_THROW(Shard{tar}, DataError) << size;
  }
}

TEST(Shard, SaysWhenItsFileIsCutShortWhileInUse) {
  const TemporaryFolder folder;
  const auto tar = folder.path() / "0.tar";
  ShardWriter writer(tar);
  writer.add("large", std::string(200'000, 'x'));
  writer.add("small", "y");
  writer.finish();
  const Shard shard(tar);
  EXPECT_EQ(shard.read("small").size(), 1U);
  fs::resize_file(tar, 512);
  for (const char* name : {"large", "small"}) {
    try {
      (void)shard.read(name);
      FAIL() << name;
    } catch (const DataError& error) {
      EXPECT_EQ(error.reason(), "unreadable");
      EXPECT_THAT(error.what(), HasSubstr(name));
    }
  }
}

TEST(Shard, RefusesAnIndexOfAnotherTar) {
  const TemporaryFolder folder;
  const auto tar = write_shard(folder.path());
  const auto other = folder.path() / "other.tar";
  {
    ShardWriter writer(other);
    writer.add("x", std::string(5000, 'x'));
    writer.add("a.mp4", "hello");
    writer.finish();
  }
  fs::copy_file(other.string() + ".index", tar.string() + ".index",
                fs::copy_options::overwrite_existing);
  try {
    (void)Shard(tar).read("a.mp4");
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("build the shard again"));
  }
}

TEST(Shard, SurvivesEveryFlippedBitOfItsIndex) {
  const TemporaryFolder folder;
  const auto tar = write_shard(folder.path());
  const auto index = fs::path(tar.string() + ".index");
  const auto good = read_file(index);
  int refused = 0;
  for (std::size_t i = 0; i < good.size(); i += 3) {
    auto bad = good;
    bad[i] = static_cast<char>(bad[i] ^ (1 << (i % 8)));
    std::ofstream(index, std::ios::binary) << bad;
    try {
      const Shard shard(tar);
      for (const auto& member : shard.members()) shard.verify(member);
    } catch (const DataError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 50);
}

TEST(Shard, NamesTheLineOfADamagedIndex) {
  const auto line_of = [](const std::string& content) {
    try {
      (void)parse_shard_index(content, "0.tar.index");
    } catch (const DataError& error) {
      return std::string(error.what()).substr(0, 13);
    }
    return std::string("read");
  };
  const std::string header = "member\toffset\tsize\tchecksum\n";
  EXPECT_EQ(line_of(header + "a\t512\t3\t0123456789abcdef\n"), "read");
  EXPECT_EQ(line_of("nonsense\n"), "0.tar.index:1");
  EXPECT_EQ(line_of(header + "a\t512\t3\n"), "0.tar.index:2");
  EXPECT_EQ(line_of(header + "a\t512\t3\t0123456789abcdef\textra\n"), "0.tar.index:2");
  EXPECT_EQ(line_of(header + "a\t-512\t3\t0123456789abcdef\n"), "0.tar.index:2");
  EXPECT_EQ(line_of(header + "a\t99999999999999999999\t3\t0123456789abcdef\n"), "0.tar.index:2");
  EXPECT_EQ(line_of(header + "a\t512\t3\t0123"), "0.tar.index:2");
}

TEST(Shard, RefusesOffsetsBeyondTheEnd) {
  const TemporaryFolder folder;
  const auto tar = write_shard(folder.path());
  for (const char* entry : {"a\t18446744073709551104\t1024\t0000000000000000\n",
                            "a\t512\t18446744073709551615\t0000000000000000\n",
                            "a\t0\t1\t0000000000000000\n", "a\t513\t1\t0000000000000000\n"}) {
    std::ofstream(tar.string() + ".index", std::ios::binary) << "member\toffset\tsize\tchecksum\n"
                                                             << entry;
    EXPECT_THROW(Shard{tar}, DataError) << entry;
  }
}

TEST(ShardWriter, LeavesNothingWhenItIsNotFinished) {
  const TemporaryFolder folder;
  {
    ShardWriter writer(folder.path() / "0.tar");
    writer.add("a", "1");
    EXPECT_GT(writer.size(), 0U);
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(ShardWriter, RefusesNamesThatTarToolsWouldMisplace) {
  const TemporaryFolder folder;
  ShardWriter writer(folder.path() / "0.tar");
  writer.add("a", "1");
  for (const std::string name : {"", "a", "/a", "../a", "b/../../a", "./a", "a\nb", "a\tb", ".."}) {
    EXPECT_THROW(writer.add(name, "1"), DataError) << name;
  }
  EXPECT_NO_THROW(writer.add("..a/b..c", "1"));
}

TEST(ShardWriter, SaysWhenItCannotWrite) {
  EXPECT_THROW(ShardWriter("/nowhere/0.tar"), SystemError);
}

}  // namespace
}  // namespace raven::data
