#include <cstdint>
#include <fstream>
#include <string_view>

#include "data/preparation_record.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "support/temporary_folder.h"

/// What an earlier preparation left in its folder. The first byte chooses the file: 'v' a shard's
/// verdicts, else prepare.json.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const raven::TemporaryFolder folder;
  if (size == 0) return 0;
  const std::string_view content(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto shards = folder.path() / "shards", options_file = folder.path() / "prepare.json";
  const auto file = data[0] == 'v' ? shards / "clips-00000.verdicts.tsv" : options_file;
  std::filesystem::create_directory(shards);
  std::ofstream(file, std::ios::binary) << content;
  try {
    raven::data::PreparationOptions options;
    options.output = folder.path();
    const raven::data::PreparationRecord record(options, {});
    for (const auto& verdict : record.verdicts()) {
      if (record.find(verdict.id) == nullptr) __builtin_trap();
    }
  } catch (const raven::DataError&) {
  } catch (const raven::ConfigError&) {
  }
  std::filesystem::remove(file);
  std::filesystem::remove(options_file);
  return 0;
}
