#include "raven/data/overlap.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/data/shard.h"
#include "raven/data/wave_view.h"

namespace raven::data {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kExamples = 5;
constexpr std::uint64_t kMiddle = 4096;  // bytes

/// What a clip's file or member holds. Knows its size; reads no more than it is asked for.
struct Content {
  Location location;
  std::uint64_t size = 0;
  std::optional<std::uint64_t> hash = {};  // of all, when it is known without reading
};

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The part in the middle of `size` bytes that tells most files apart.
struct Part {
  std::uint64_t begin, size;
};
Part middle_of(std::uint64_t size) {
  const auto length = std::min(size, kMiddle);
  return {(size - length) / 2, length};
}

std::uint64_t middle_of_file(const fs::path& file, std::uint64_t size) {
  const auto [begin, length] = middle_of(size);
  std::string bytes(length, '\0');
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) throw DataError(file.string() + ": cannot be opened", "unreadable");
  const auto read = ::pread(descriptor, bytes.data(), length, static_cast<off_t>(begin));
  ::close(descriptor);
  if (read != static_cast<ssize_t>(length))
    throw DataError(file.string() + ": cannot be read", "unreadable");
  return checksum(bytes);
}

/// Opens one shard at a time.
class Reader {
 public:
  /// Empty where there is nothing that could be compared. Throws DataError or SystemError.
  std::optional<Content> find(const Location& location) {
    if (location.empty()) return std::nullopt;
    Content content{.location = location};
    if (location.member.empty()) {
      struct stat status {};
      if (::stat(location.file.c_str(), &status) != 0 || !S_ISREG(status.st_mode))
        throw DataError(location.text() + ": no such file", "missing");
      content.size = static_cast<std::uint64_t>(status.st_size);
    } else {
      const auto& shard = open(location.file);
      const auto& member = shard.member(location.member);
      content.size = member.size;
      if (shard.has_index()) content.hash = member.checksum;
    }
    return content.size > 0 ? std::optional(std::move(content)) : std::nullopt;
  }

  std::uint64_t middle(const Content& content) {
    const auto& at = content.location;
    if (at.member.empty()) return middle_of_file(at.file, content.size);
    const auto [begin, length] = middle_of(content.size);
    return checksum(text_of(open(at.file).read(at.member).subspan(begin, length)));
  }

  std::uint64_t hash(const Content& content) {
    if (content.hash) return *content.hash;
    const auto& at = content.location;
    if (at.member.empty()) return checksum_file(at.file);
    const auto& shard = open(at.file);
    const auto bytes = shard.read(at.member);
    const auto hash = checksum(text_of(bytes));
    shard.release(bytes);
    return hash;
  }

  /// Whether it is a WAV of zeros alone, which films of the same length share.
  bool is_silent(const Content& content) {
    const auto& at = content.location;
    const auto silent = [&](std::span<const std::byte> bytes) {
      const auto pcm = view_pcm16_wave(bytes, at.text());
      return pcm && std::ranges::all_of(*pcm, [](std::byte one) { return one == std::byte{0}; });
    };
    if (at.member.empty()) {
      const auto bytes = read_file(at.file);
      return silent(std::as_bytes(std::span(bytes)));
    }
    const auto& shard = open(at.file);
    const auto bytes = shard.read(at.member);
    const bool result = silent(bytes);
    shard.release(bytes);
    return result;
  }

 private:
  const Shard& open(const fs::path& tar) {
    if (!shard_ || shard_->file() != tar) {
      shard_.reset();
      shard_ = std::make_unique<Shard>(tar);
    }
    return *shard_;
  }

  std::unique_ptr<Shard> shard_;
};

const Location& location_of(const Utterance& utterance, SharedBy by) {
  return by == SharedBy::kVideo ? utterance.video : utterance.audio;
}

/// Utterances of one shard after another, wherever they stand in the list.
std::vector<std::uint32_t> by_shard(const Manifest& manifest) {
  std::unordered_map<std::string_view, std::uint32_t> number_of;
  std::vector<std::uint32_t> shard(manifest.utterances.size()), order(shard.size());
  for (std::size_t i = 0; i < shard.size(); ++i) {
    const auto& utterance = manifest.utterances[i];
    const auto& location = utterance.video.empty() ? utterance.audio : utterance.video;
    const auto name =
        location.member.empty() ? std::string_view() : std::string_view(location.file.native());
    shard[i] = number_of.emplace(name, static_cast<std::uint32_t>(number_of.size())).first->second;
  }
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return shard[a] < shard[b]; });
  return order;
}

/// The clips that must not be in another list.
class KeptClips {
 public:
  explicit KeptClips(const Manifest& kept) : utterances_(kept.utterances) {
    for (const auto& utterance : utterances_) {
      ids_.emplace(utterance.id, &utterance);
      if (!utterance.speaker.empty()) speakers_.insert(utterance.speaker);
    }
    for (const auto i : by_shard(kept)) add(utterances_[i]);
  }

  [[nodiscard]] const Utterance* with_id(std::string_view id) const {
    const auto found = ids_.find(id);
    return found == ids_.end() ? nullptr : found->second;
  }
  [[nodiscard]] bool knows_speakers() const { return !speakers_.empty(); }
  [[nodiscard]] bool has_speaker(std::string_view speaker) const {
    return speakers_.contains(speaker);
  }
  [[nodiscard]] std::int64_t unreadable() const { return unreadable_; }

  /// The utterance whose file holds the same. Throws as Reader does for `content`.
  const Utterance* with_content(const Content& content, Reader& reader) {
    const auto found = by_size_.find(content.size);
    if (found == by_size_.end()) return nullptr;
    std::optional<std::uint64_t> middle, hash = content.hash;
    for (auto& one : found->second) {
      if (!hash || !one.content.hash) {
        if (!middle) middle = reader.middle(content);
        if (middle_of(one) != middle) continue;
        if (!hash) hash = reader.hash(content);
      }
      if (hash_of(one) == hash) return one.utterance;
    }
    return nullptr;
  }

 private:
  struct Item {
    const Utterance* utterance;
    Content content;
    std::optional<std::uint64_t> middle = {};
    bool unreadable = false;
  };

  void add(const Utterance& utterance) {
    bool readable = true;
    for (const auto by : {SharedBy::kVideo, SharedBy::kAudio}) {
      try {
        if (auto content = reader_.find(location_of(utterance, by)))
          by_size_[content->size].push_back(
              {.utterance = &utterance, .content = std::move(*content)});
      } catch (const Error&) {
        readable = false;
      }
    }
    if (!readable) ++unreadable_;
  }

  std::optional<std::uint64_t> middle_of(Item& item) {
    if (!item.middle) ask(item, [&] { item.middle = reader_.middle(item.content); });
    return item.middle;
  }
  std::optional<std::uint64_t> hash_of(Item& item) {
    if (!item.content.hash) ask(item, [&] { item.content.hash = reader_.hash(item.content); });
    return item.content.hash;
  }
  template <class Ask>
  void ask(Item& item, const Ask& ask_reader) {
    if (item.unreadable) return;
    try {
      ask_reader();
    } catch (const Error&) {
      item.unreadable = true;
      ++unreadable_;
    }
  }

  const std::vector<Utterance>& utterances_;
  std::unordered_map<std::string_view, const Utterance*> ids_;
  std::unordered_set<std::string_view> speakers_;
  std::unordered_map<std::uint64_t, std::vector<Item>> by_size_;
  Reader reader_;
  std::int64_t unreadable_ = 0;
};

/// By id, else by what the files hold.
std::optional<SharedClip> find(const Utterance& utterance, KeptClips& kept, Reader& reader) {
  if (const auto* there = kept.with_id(utterance.id))
    return SharedClip{.by = SharedBy::kId, .here = &utterance, .there = there};
  for (const auto by : {SharedBy::kVideo, SharedBy::kAudio}) {
    const auto content = reader.find(location_of(utterance, by));
    if (!content) continue;
    const auto* there = kept.with_content(*content, reader);
    if (there != nullptr && !(by == SharedBy::kAudio && reader.is_silent(*content)))
      return SharedClip{.by = by, .here = &utterance, .there = there};
  }
  return std::nullopt;
}

}  // namespace

Overlap overlap(const Manifest& manifest, const Manifest& kept_list) {
  KeptClips kept(kept_list);
  Overlap result;
  std::set<std::string_view> speakers;
  for (const auto& utterance : manifest.utterances) {
    if (!utterance.speaker.empty()) result.speakers_known = kept.knows_speakers();
    if (kept.has_speaker(utterance.speaker)) speakers.insert(utterance.speaker);
  }
  result.speakers.assign(speakers.begin(), speakers.end());
  Reader reader;
  for (const auto i : by_shard(manifest)) {
    const auto& utterance = manifest.utterances[i];
    try {
      if (const auto shared = find(utterance, kept, reader)) {
        ++result.clips[static_cast<std::size_t>(shared->by)];
        if (result.examples.size() < kExamples) result.examples.push_back(*shared);
      }
    } catch (const Error&) {
      ++result.unreadable;
    }
  }
  result.unreadable += kept.unreadable();
  return result;
}

}  // namespace raven::data
