// What the readers of media files share: where bytes come from and how much may be decoded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace raven::media {

inline constexpr std::int64_t kFrameRateHz = 25;
inline constexpr std::int64_t kSampleRateHz = 16000;
inline constexpr std::int64_t kSamplesPerFrame = kSampleRateHz / kFrameRateHz;

[[nodiscard]] constexpr double seconds(std::int64_t frames) {
  return static_cast<double>(frames) / static_cast<double>(kFrameRateHz);
}
[[nodiscard]] constexpr double hours(std::int64_t frames) { return seconds(frames) / 3600; }

/// A file, or bytes that the caller keeps alive (a shard's member). `name` appears in messages.
class Source {
 public:
  Source(const std::filesystem::path& file);  // NOLINT: a path is a source
  Source(std::span<const std::byte> bytes, std::string name);

  [[nodiscard]] bool in_memory() const { return in_memory_; }
  [[nodiscard]] const std::filesystem::path& file() const { return file_; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  std::filesystem::path file_;
  std::span<const std::byte> bytes_;
  std::string name_;
  bool in_memory_;
};

/// Checked before anything is decoded and again while decoding, because headers lie.
struct Limits {
  std::int64_t max_width = 8192;
  std::int64_t max_height = 8192;
  double max_duration_s = 3600;
  std::int64_t max_channels = 8;
  std::uint64_t max_decoded_bytes = 4ULL << 30;  // of what a call returns
  double max_damaged = 0.1;  // share of pictures, or of blocks of sound, that may be damaged
};

/// What of a track could not be decoded whole: pictures, or blocks of sound.
struct Damage {
  std::int64_t damaged = 0, of = 0;
};

/// Which of a file's tracks of one kind was read, the first being 1.
struct TrackChoice {
  std::int64_t number = 1, of = 1;
};

}  // namespace raven::media
