// One file's sound, block by block: what reading it whole and reading it as a stream share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "media/av.h"
#include "media/decoder.h"
#include "media/input.h"
#include "media/sound_timeline.h"
#include "raven/media/media.h"

namespace raven::media {

/// Sound of one format -> mono at 16 kHz, appended to a vector. Channels are averaged. A run of n
/// samples at rate r becomes exactly n * 16000 / r samples, rounded.
class Resampler {
 public:
  Resampler(std::vector<float>& out, const std::string& name) : out_(out), name_(name) {}

  /// Starts again when the format differs from the one before.
  void add(const AVFrame& frame);
  /// Of what was added, as it will be after finish().
  [[nodiscard]] double seconds() const;
  /// What the filter still holds; then cut or padded to the exact number.
  void finish();
  /// The first `count` samples of the vector are removed.
  void drop(std::int64_t count);
  /// So many stand in the vector for good: what comes later changes none of them.
  [[nodiscard]] std::int64_t num_certain() const;

 private:
  [[nodiscard]] bool same_format(const AVFrame& frame) const;
  void start(const AVFrame& frame);
  void convert(const std::uint8_t** in, int num_in);

  std::vector<float>& out_;
  const std::string& name_;
  ResamplerHandle context_;
  int rate_hz_ = 0, format_ = AV_SAMPLE_FMT_NONE, channels_ = 0;
  std::int64_t num_in_ = 0;               // since start()
  std::int64_t begin_ = 0, dropped_ = 0;  // of this format's samples, of all; removed so far
};

/// Whether the mean of the channels keeps what they hold. Looks at some of the blocks only.
class ChannelBalance {
 public:
  void add(const AVFrame& frame);
  /// Channels that have nothing in common keep 1 / (their number), 1/8 at least.
  [[nodiscard]] bool cancels() const;

 private:
  template <class Sample>
  void add_samples(const AVFrame& frame);

  std::int64_t num_blocks_ = 0, num_samples_ = 0;
  double of_mean_ = 0, of_channels_ = 0;  // sums of squares
};

/// Throws when a decoded block is beyond the limits or of an impossible format.
class AudioCheck {
 public:
  AudioCheck(const Limits& limits, const std::string& name) : limits_(limits), name_(name) {}
  void add(const AVFrame& frame);

 private:
  Limits limits_;
  const std::string& name_;
  double duration_s_ = 0;
};

/// As VideoReader tells it; empty where there are no pictures that sound could stay with.
std::optional<double> decoded_first_picture_s(const Source& source, const Limits& limits);

/// Decodes the sound track that players take.
class AudioDecoding {
 public:
  /// With `watch_pictures` the packets of the pictures are looked at, too (Input::watch). Throws
  /// MediaError ("corrupt", "missing", "no-audio", "too-large", "unsupported").
  AudioDecoding(const Source& source, const Limits& limits, bool watch_pictures);

  /// Adds a block's samples; false at the end, when all of them are there. Throws MediaError, at
  /// the end ("empty") where the file had none.
  bool step();

  [[nodiscard]] std::vector<float>& samples() { return samples_; }  // not dropped yet
  void drop(std::int64_t count) { resampler_.drop(count); }
  [[nodiscard]] std::int64_t num_certain() const { return resampler_.num_certain(); }
  [[nodiscard]] const SoundTimeline& timeline() const { return timeline_; }
  [[nodiscard]] Input& input() { return input_; }
  [[nodiscard]] bool watches_pictures() const { return watches_pictures_; }
  [[nodiscard]] TrackChoice track() const { return input_.choice(stream_); }
  [[nodiscard]] Damage damage() const { return decoder_.damage(); }
  [[nodiscard]] bool channels_cancel() const { return balance_.cancels(); }
  [[nodiscard]] std::int64_t source_sample_rate_hz() const { return source_sample_rate_hz_; }
  [[nodiscard]] std::int64_t source_channels() const { return source_channels_; }

 private:
  static const AVStream& open(Input& input, const Limits& limits);

  Input input_;
  const AVStream& stream_;
  bool watches_pictures_;
  Decoder decoder_;
  std::vector<float> samples_;
  AudioCheck check_;
  Resampler resampler_;
  SoundTimeline timeline_;
  ChannelBalance balance_;
  FrameHandle frame_;
  std::int64_t source_sample_rate_hz_ = 0, source_channels_ = 0;
};

}  // namespace raven::media
