#include <cstdint>
#include <fstream>
#include <string_view>

#include "data/preparation_record.h"
#include "raven/core/error.h"
#include "support/temporary_folder.h"

/// What an earlier preparation left in its folder. The first byte chooses the file: 'v' a shard's
/// verdicts, else prepare.json.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const raven::TemporaryFolder folder;
  if (size == 0) return 0;
  const std::string_view content(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool verdicts = data[0] == 'v';
  const auto file = folder.path() / (verdicts ? "clips-00000.verdicts.tsv" : "prepare.json");
  std::ofstream(file, std::ios::binary) << content;
  try {
    if (verdicts) {
      const raven::data::PreparationRecord record(folder.path());
      for (const auto& verdict : record.verdicts()) {
        if (record.find(verdict.id) == nullptr) __builtin_trap();
      }
    } else {
      raven::data::PreparationOptions options;
      options.output = folder.path();
      raven::data::settle_options(options);
    }
  } catch (const raven::DataError&) {
  } catch (const raven::ConfigError&) {
  }
  std::filesystem::remove(file);
  return 0;
}
