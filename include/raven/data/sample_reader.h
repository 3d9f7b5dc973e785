// One utterance from its files or shard members: pixels and samples as the models see them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "raven/config/run_config.h"
#include "raven/data/manifest.h"
#include "raven/data/modality.h"
#include "raven/data/noise.h"
#include "raven/data/sample.h"
#include "raven/data/shard.h"
#include "raven/data/transforms.h"
#include "raven/media/video_reader.h"

namespace raven::data {

/// Shards opened so far, each once. Thread-safe; a shard stays open as long as this.
class ShardCache {
 public:
  ShardCache();
  ~ShardCache();
  ShardCache(const ShardCache&) = delete;
  ShardCache& operator=(const ShardCache&) = delete;

  /// Throws what Shard throws, again at every call. A warning says, once, when a tar has no index.
  const Shard& open(const std::filesystem::path& tar);
  /// Of the shards opened so far.
  [[nodiscard]] std::int64_t num_without_index() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct SampleOptions {
  config::VideoInputConfig video;
  config::Waveform waveform = config::Waveform::kAsIs;
  std::shared_ptr<const NoiseSource> noise = nullptr;  // mixed in before the waveform is normalised
  bool absent_is_blank = false;  // pictures or sound that an utterance lacks are 0, and no error
  bool levels = false;           // read_whole() gives floats, as read_levels() does
  bool whole_sound = false;  // sound alone is as long as it is: see SampleReader::decides_length()
};

/// What was read of a clip that is as long as its files say.
struct WholeClip {
  // frames x views x crop x crop, one of the two (SampleOptions::levels); empty where not asked for
  std::vector<std::uint8_t> video;
  std::vector<float> levels;
  std::vector<float> audio;  // 640 x frames
  std::int64_t frames = 0;
};

/// Reads utterances. One for each thread; any number may share a ShardCache.
///
/// Video: a media file, or a .npy of uint8 (T, 96, 96); grey is rounded but by read_levels().
/// Audio: a media file, or the video's sound track; cut or padded with zeros to 640 samples a
/// frame. A sound track stays with its pictures by the file's clock, a file of sound starts with
/// its first sample. Throws DataError: "missing", "corrupt", "shape" (not 96 x 96), "frame-count"
/// (not as many frames as listed), "no-audio", "no-video", ...
class SampleReader {
 public:
  /// `manifest`: named in messages about utterances that no list names.
  SampleReader(const SampleOptions& options, std::shared_ptr<ShardCache> shards,
               std::filesystem::path manifest);

  /// views: where each frame is cut, once or several times. video: room for frames x views x crop x
  /// crop bytes; audio: for 640 x frames floats; what is null is not read. noise_draws: what the
  /// noise follows from, if there is any; null: the sound stays clean.
  void read(const Utterance& utterance, const std::vector<Placement>& views, std::uint8_t* video,
            float* audio, Random* noise_draws = nullptr) const;

  /// The same with pixels as floats; the grey of crops in colour (Utterance::grey) is not rounded.
  void read_levels(const Utterance& utterance, const std::vector<Placement>& views, float* levels,
                   float* audio, Random* noise_draws = nullptr) const;

  /// Whether the files, not the list, say how long the clip is, where `wanted` is read of it: in a
  /// published list, and where sound is read alone and as a whole.
  [[nodiscard]] bool decides_length(const Utterance& utterance, Modalities wanted) const;

  /// The clip as long as its video is. Where sound is read alone: floor(samples / 640) frames with
  /// `whole_sound`, else as long as the header of the video says, or the list where there is no
  /// video. Memory follows what the files hold. Throws as read() does ("frame-count" where the list
  /// is no published one), and "too-long" beyond `max_frames`, "empty" for less than a frame.
  [[nodiscard]] WholeClip read_whole(const Utterance& utterance,
                                     const std::vector<Placement>& views, Modalities wanted,
                                     std::int64_t max_frames, Random* noise_draws = nullptr) const;

  /// Frames of the video at 25 a second, as its header says; empty where it says nothing or cannot
  /// be opened.
  [[nodiscard]] std::optional<std::int64_t> told_frames(const Utterance& utterance) const;

  /// Reads all that the utterance has and keeps nothing: throws what read() would, and DataError
  /// ("short-sound") where less than half of its length has sound. Memory follows what the files
  /// hold, not what is listed. Returns how many frames there are: in a published list that may be
  /// another number than is listed.
  std::int64_t check(const Utterance& utterance) const;

  /// What there is; a film without a file for its sound is opened to see whether it has a track.
  /// One that cannot be opened counts as one with sound: reading it says what is wrong.
  [[nodiscard]] Modalities modalities(const Utterance& utterance) const;

  [[nodiscard]] Sample read(const Utterance& utterance, const Placement& placement) const;

 private:
  using FrameSink =
      std::function<void(std::int64_t t, const std::uint8_t* pixels, std::int64_t stride)>;

  /// What is to be read of it: all, or what there is where the rest is blank.
  [[nodiscard]] Modalities wanted(const Utterance& utterance) const;
  struct Pictures {
    std::int64_t frames = 0;
    std::optional<double> start_s;  // of the first in the clock of the file, if it has one
  };
  /// Given how many samples there are, where they go: cut there or padded with zeros.
  using Room = std::function<std::span<float>(std::size_t found)>;

  /// All frames that there are.
  Pictures decode_video(const Utterance& utterance, const FrameSink& sink,
                        media::PixelFormat format) const;
  [[nodiscard]] Pictures decode_raw_video(const Utterance& utterance,
                                          std::span<const std::byte> bytes,
                                          const FrameSink& sink) const;
  /// As many as are listed; another number is refused.
  Pictures read_video(const Utterance& utterance, const FrameSink& sink,
                      media::PixelFormat format) const;
  /// `start_s`: of the pictures, where they were read. Returns how many samples there are.
  std::size_t read_audio(const Utterance& utterance, std::optional<double> start_s,
                         const Room& room) const;
  void finish_sound(const Utterance& utterance, std::span<float> samples,
                    Random* noise_draws) const;
  /// read() and read_levels().
  template <class Pixel>
  void read_pixels(const Utterance& utterance, const std::vector<Placement>& views, Pixel* pixels,
                   float* audio, Random* noise_draws) const;
  /// With noise and as the waveform is wanted; `audio` null: nothing.
  void read_waveform(const Utterance& utterance, bool is_there, std::optional<double> start_s,
                     float* audio, Random* noise_draws) const;
  void mix_noise(const Utterance& utterance, std::span<float> samples, Random& draws) const;
  [[nodiscard]] std::string place_of(const Utterance& utterance) const;
  [[noreturn]] void wrong_frame_count(const Utterance& utterance, std::int64_t found) const;

  SampleOptions options_;
  std::shared_ptr<ShardCache> shards_;
  std::filesystem::path manifest_;
};

}  // namespace raven::data
