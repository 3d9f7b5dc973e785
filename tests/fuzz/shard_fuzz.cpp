#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "raven/core/error.h"
#include "raven/data/shard.h"
#include "support/temporary_folder.h"

/// Two bytes of length, that much index, then the tar.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const raven::TemporaryFolder folder;
  if (size < 2) return 0;
  const std::string_view content(reinterpret_cast<const char*>(data) + 2, size - 2);
  const auto index = content.substr(0, data[0] + 256U * data[1]);
  const auto tar = folder.path() / "0.tar";
  std::ofstream(tar, std::ios::binary) << content.substr(index.size());
  std::ofstream(tar.string() + ".index", std::ios::binary) << index;
  try {
    const raven::data::Shard shard(tar);
    for (const auto& member : shard.members()) {
      try {
        shard.verify(member);
        if (shard.read(member.name).size() > size) __builtin_trap();
      } catch (const raven::DataError&) {
      }
    }
  } catch (const raven::DataError&) {
  }
  return 0;
}
