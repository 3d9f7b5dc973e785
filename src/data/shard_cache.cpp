#include <map>
#include <mutex>
#include <utility>

#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/data/sample_reader.h"

namespace raven::data {

struct ShardCache::State {
  std::mutex mutex;  // guards the maps, not the shards
  std::map<std::filesystem::path, std::unique_ptr<Shard>> shards;
  std::map<std::filesystem::path, DataError> corrupt;
  std::int64_t num_without_index = 0;
};

ShardCache::ShardCache() : state_(std::make_unique<State>()) {}
ShardCache::~ShardCache() = default;

const Shard& ShardCache::open(const std::filesystem::path& tar) {
  {
    const std::lock_guard lock(state_->mutex);
    const auto known = state_->shards.find(tar);
    if (known != state_->shards.end()) return *known->second;
    const auto corrupt = state_->corrupt.find(tar);
    if (corrupt != state_->corrupt.end()) throw DataError(corrupt->second);
  }
  std::unique_ptr<Shard> shard;
  try {
    shard = std::make_unique<Shard>(tar);
  } catch (const DataError& error) {
    // Looked through once, not again for each utterance; what is missing may still come.
    const std::lock_guard lock(state_->mutex);
    if (error.reason() == "corrupt") state_->corrupt.try_emplace(tar, error);
    throw;
  }
  // Two threads may have opened the same one; the first that comes here wins.
  const std::lock_guard lock(state_->mutex);
  const auto [opened, is_new] = state_->shards.try_emplace(tar, std::move(shard));
  if (is_new && !opened->second->has_index()) {
    ++state_->num_without_index;
    log::warn("{} has no index ({}.index): its bytes cannot be compared with checksums",
              tar.string(), tar.filename().string());
  }
  return *opened->second;
}

std::int64_t ShardCache::num_without_index() const {
  const std::lock_guard lock(state_->mutex);
  return state_->num_without_index;
}

}  // namespace raven::data
