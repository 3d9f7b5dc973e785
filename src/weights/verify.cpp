#include "raven/weights/verify.h"

#include <nlohmann/json.hpp>

#include "core/parse_json.h"
#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/core/utf8.h"
#include "raven/weights/inspection.h"
#include "raven/weights/weights_file.h"
#include "weights/file_kind.h"

namespace raven::weights {
namespace {

bool is_zip(const TensorFile& content) {
  return content.mapping && weights::is_zip(content.mapping->bytes());
}

}  // namespace

std::map<std::string, std::string> listed_hashes(
    const std::map<std::string, std::string>& metadata) {
  std::map<std::string, std::string> hashes;
  const auto listed = metadata.find(kTensorHashes);
  if (listed == metadata.end()) return hashes;
  const auto refuse = [] {
    throw CheckpointError(
        fmt::format("metadata '{}' is damaged: expected a JSON object of text, tensor to SHA-256",
                    kTensorHashes));
  };
  const auto json = parse_json(listed->second);
  if (!json.is_object()) refuse();
  for (const auto& [name, hash] : json.items()) {
    if (!hash.is_string()) refuse();
    hashes[name] = hash.get<std::string>();
  }
  return hashes;
}

void verify(const std::filesystem::path& file, const TensorFile& content) {
  if (is_zip(content)) {
    sha256_and_verify(*content.mapping);
    return;
  }
  const auto refuse = [&](const std::string& problem) {
    throw CheckpointError(
        fmt::format("{}: {}; fetch or write the file again", file.string(), problem));
  };
  std::map<std::string, std::string> hashes;
  try {
    hashes = listed_hashes(content.metadata);
  } catch (const CheckpointError& error) {
    refuse(error.what());
  }
  if (content.metadata.count(kTensorHashes) == 0) return;
  if (content.metadata.count(kMetadataHash) == 0) {
    log::info(
        "{}: was written before metadata had a hash, so damage to them would not be seen; `raven "
        "export` writes it anew",
        file.string());
  }
  for (const auto& [name, tensor] : content.tensors) {
    const auto listed = hashes.find(name);
    if (listed == hashes.end()) {
      refuse(fmt::format("tensor '{}' is damaged: the file lists no SHA-256 for it, but for others",
                         printable(name)));
    }
    if (listed->second != tensor_sha256(tensor)) {
      refuse(fmt::format("tensor '{}' is damaged: its SHA-256 is not the one that the file lists",
                         printable(name)));
    }
    hashes.erase(listed);
  }
  if (!hashes.empty()) {
    refuse(fmt::format("tensor '{}' is missing: the file lists its SHA-256",
                       printable(hashes.begin()->first)));
  }
}

}  // namespace raven::weights
