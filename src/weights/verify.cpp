#include "raven/weights/verify.h"

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>

#include "raven/core/error.h"
#include "raven/core/json_nesting.h"
#include "raven/core/utf8.h"
#include "raven/weights/inspection.h"
#include "raven/weights/weights_file.h"

namespace raven::weights {
namespace {

bool is_zip(const std::filesystem::path& file) {
  std::array<char, 2> start{};
  std::ifstream(file, std::ios::binary).read(start.data(), start.size());
  return start[0] == 'P' && start[1] == 'K';
}

}  // namespace

std::map<std::string, std::string> listed_hashes(
    const std::map<std::string, std::string>& metadata) {
  std::map<std::string, std::string> hashes;
  const auto listed = metadata.find(kTensorHashes);
  if (listed == metadata.end() || json_nesting(listed->second) > 1) return hashes;
  const auto json =
      nlohmann::json::parse(listed->second, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return hashes;
  for (const auto& [name, hash] : json.items()) {
    if (hash.is_string()) hashes[name] = hash.get<std::string>();
  }
  return hashes;
}

void verify(const std::filesystem::path& file, const TensorFile& content) {
  if (is_zip(file)) {
    sha256_and_verify(file);
    return;
  }
  const auto hashes = listed_hashes(content.metadata);
  for (const auto& [name, tensor] : content.tensors) {
    const auto listed = hashes.find(name);
    if (listed == hashes.end() || listed->second == tensor_sha256(tensor)) continue;
    throw CheckpointError(
        fmt::format("{}: tensor '{}' is damaged: its SHA-256 is not the one that the file lists; "
                    "fetch or write the file again",
                    file.string(), printable(name)));
  }
}

}  // namespace raven::weights
