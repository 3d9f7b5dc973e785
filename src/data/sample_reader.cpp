#include "raven/data/sample_reader.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/corpus/npy.h"
#include "raven/data/wave_view.h"
#include "raven/media/audio_reader.h"
#include "raven/media/probe.h"
#include "raven/media/video_reader.h"

namespace raven::data {
namespace {

constexpr std::int64_t kPixels = kStoredSide * kStoredSide;
constexpr std::uint64_t kMaxFileBytes = 1 << 30;  // of a .npy or .wav file: more than an hour

bool ends_in(const Location& location, std::string_view ending) {
  const auto text = location.member.empty() ? location.file.native() : location.member;
  return text.size() >= ending.size() &&
         text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

/// The bytes of a member or a file; a member's stay in the shard and are given back at the end.
class Bytes {
 public:
  Bytes(const Location& location, ShardCache& shards) {
    if (location.member.empty()) {
      content_ = read_file(location.file, kMaxFileBytes);
      view_ = std::as_bytes(std::span(content_));
    } else {
      shard_ = &shards.open(location.file);
      view_ = shard_->read(location.member);
    }
  }
  ~Bytes() {
    if (shard_ != nullptr) shard_->release(view_);
  }
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;

  [[nodiscard]] std::span<const std::byte> view() const { return view_; }

 private:
  const Shard* shard_ = nullptr;
  std::string content_;
  std::span<const std::byte> view_;
};

/// For libav: a member's bytes, or a file by its name.
class MediaSource {
 public:
  MediaSource(const Location& location, ShardCache& shards) {
    if (location.member.empty()) {
      source_.emplace(location.file);
    } else {
      bytes_.emplace(location, shards);
      source_.emplace(bytes_->view(), location.text());
    }
  }

  [[nodiscard]] const media::Source& get() const { return *source_; }

 private:
  std::optional<Bytes> bytes_;
  std::optional<media::Source> source_;
};

/// Cut on the right or padded with zeros.
void fit(std::span<const float> from, std::span<float> to) {
  const auto count = std::min(from.size(), to.size());
  std::copy_n(from.begin(), count, to.begin());
  std::fill(to.begin() + static_cast<std::ptrdiff_t>(count), to.end(), 0.0F);
}

bool same_place(const Location& a, const Location& b) {
  return a.file == b.file && a.member == b.member;
}

/// Sound that is in the file of the pictures, or nowhere else, shares their clock.
bool sound_is_in_video(const Utterance& utterance) {
  return (utterance.audio.empty() || same_place(utterance.audio, utterance.video)) &&
         !utterance.video.empty() && !ends_in(utterance.video, ".npy");
}

/// Given how many samples there are, where they go.
using Room = std::function<std::span<float>(std::size_t found)>;

/// These give the number of samples that there are, before they are cut or padded.
std::size_t read_media_audio(const Location& location, ShardCache& shards,
                             const media::AudioOptions& options, const Room& room) {
  const MediaSource source(location, shards);
  const auto audio = media::read_audio(source.get(), options);
  const auto samples = room(audio.samples.size());
  fit(audio.samples, samples);
  if (!std::all_of(samples.begin(), samples.end(), [](float x) { return std::isfinite(x); })) {
    throw DataError(fmt::format("{}: holds samples that are not finite", location.text()));
  }
  return audio.samples.size();
}

/// Empty when the file is not the plain kind of WAV: libav must read it.
std::optional<std::size_t> read_plain_wave(const Location& location, ShardCache& shards,
                                           const Room& room) {
  const Bytes bytes(location, shards);
  const auto pcm = view_pcm16_wave(bytes.view(), location.text());
  if (!pcm) return std::nullopt;
  const auto samples = room(pcm->size() / 2);
  const auto count = std::min(pcm->size() / 2, samples.size());
  pcm16_to_float(pcm->first(2 * count), samples.data());
  std::fill(samples.begin() + static_cast<std::ptrdiff_t>(count), samples.end(), 0.0F);
  return pcm->size() / 2;
}

[[noreturn]] void wrong_shape(const Location& location, const std::string& found) {
  throw DataError(
      fmt::format(
          "{}: {}, expected frames of {} x {} grey pixels; `raven prepare` makes such crops",
          location.text(), found, kStoredSide, kStoredSide),
      "shape");
}

/// Crops in colour are weighed; a .npy has none.
media::PixelFormat format_of_levels(const Utterance& utterance) {
  const bool in_colour =
      utterance.grey == corpus::Grey::kColour && !ends_in(utterance.video, ".npy");
  return in_colour ? media::PixelFormat::kPlainRgb : media::PixelFormat::kGrey;
}

/// Cuts the views of a frame, one after another.
class ViewCutter {
 public:
  ViewCutter(const config::VideoInputConfig& config, const std::vector<Placement>& views,
             media::PixelFormat format)
      : view_pixels_(config.crop * config.crop),
        in_colour_(format != media::PixelFormat::kGrey),
        grey_(static_cast<std::size_t>(view_pixels_)) {
    RAVEN_CHECK(!views.empty(), "no view to cut");
    for (const auto& view : views) cutters_.emplace_back(config, view);
  }

  /// Of all views.
  [[nodiscard]] std::int64_t frame_pixels() const { return std::ssize(cutters_) * view_pixels_; }

  void cut(const std::uint8_t* frame, std::int64_t stride, std::uint8_t* out) const {
    for (const auto& cutter : cutters_) {
      cutter.cut(frame, stride, out);
      out += view_pixels_;
    }
  }

  void cut(const std::uint8_t* frame, std::int64_t stride, float* out) {
    for (const auto& cutter : cutters_) {
      if (in_colour_) {
        cutter.cut_colour(frame, stride, out);
      } else {
        cutter.cut(frame, stride, grey_.data());
        std::ranges::copy(grey_, out);
      }
      out += view_pixels_;
    }
  }

 private:
  std::int64_t view_pixels_;
  bool in_colour_;
  std::vector<std::uint8_t> grey_;
  std::vector<FrameCutter> cutters_;
};

}  // namespace

SampleReader::SampleReader(const SampleOptions& options, std::shared_ptr<ShardCache> shards,
                           std::filesystem::path manifest)
    : options_(options), shards_(std::move(shards)), manifest_(std::move(manifest)) {
  check_video_input(options.video);
}

Modalities SampleReader::wanted(const Utterance& utterance) const {
  return options_.absent_is_blank ? modalities(utterance)
                                  : Modalities{.video = true, .audio = true};
}

template <class Pixel>
void SampleReader::read_pixels(const Utterance& utterance, const std::vector<Placement>& views,
                               Pixel* pixels, float* audio, Random* noise_draws) const {
  const auto found = wanted(utterance);
  std::optional<double> start_s;
  const auto format =
      std::is_same_v<Pixel, float> ? format_of_levels(utterance) : media::PixelFormat::kGrey;
  ViewCutter cutter(options_.video, views, format);
  if (pixels != nullptr && !found.video) {
    std::fill_n(pixels, utterance.frames * cutter.frame_pixels(), Pixel{});
  } else if (pixels != nullptr) {
    const auto cut = [&](std::int64_t t, const std::uint8_t* frame, std::int64_t stride) {
      cutter.cut(frame, stride, pixels + t * cutter.frame_pixels());
    };
    start_s = read_video(utterance, cut, format).start_s;
  }
  read_waveform(utterance, found.audio, start_s, audio, noise_draws);
}

void SampleReader::read(const Utterance& utterance, const std::vector<Placement>& views,
                        std::uint8_t* video, float* audio, Random* noise_draws) const {
  read_pixels(utterance, views, video, audio, noise_draws);
}

void SampleReader::read_levels(const Utterance& utterance, const std::vector<Placement>& views,
                               float* levels, float* audio, Random* noise_draws) const {
  read_pixels(utterance, views, levels, audio, noise_draws);
}

void SampleReader::read_waveform(const Utterance& utterance, bool is_there,
                                 std::optional<double> start_s, float* audio,
                                 Random* noise_draws) const {
  if (audio == nullptr) return;
  const std::span samples(audio,
                          static_cast<std::size_t>(utterance.frames * media::kSamplesPerFrame));
  if (!is_there) {
    std::ranges::fill(samples, 0.0F);
    return;
  }
  read_audio(utterance, start_s, [&](std::size_t) { return samples; });
  finish_sound(utterance, samples, noise_draws);
}

void SampleReader::finish_sound(const Utterance& utterance, std::span<float> samples,
                                Random* noise_draws) const {
  if (options_.noise != nullptr && noise_draws != nullptr)
    mix_noise(utterance, samples, *noise_draws);
  if (options_.waveform == config::Waveform::kClip) normalise_waveform(samples);
}

bool SampleReader::decides_length(const Utterance& utterance, Modalities wanted) const {
  if (!wanted.video && !wanted.audio) return false;
  return utterance.length_is_approximate || (options_.whole_sound && !wanted.video);
}

WholeClip SampleReader::read_whole(const Utterance& utterance, const std::vector<Placement>& views,
                                   Modalities wanted, std::int64_t max_frames,
                                   Random* noise_draws) const {
  const auto check_frames = [&](std::int64_t frames) {
    if (frames <= max_frames) return;
    throw DataError(
        fmt::format("{}: '{}' is longer than {} frames, the most that are read at once; raise "
                    "data.max_frames, cut the clip, or leave it out",
                    place_of(utterance), utterance.id, max_frames),
        "too-long");
  };
  WholeClip clip;
  std::optional<double> start_s;
  if (wanted.video) {
    const auto format = options_.levels ? format_of_levels(utterance) : media::PixelFormat::kGrey;
    ViewCutter cutter(options_.video, views, format);
    const auto append = [&](auto& pixels, const std::uint8_t* frame, std::int64_t stride) {
      const auto before = pixels.size();
      pixels.resize(before + static_cast<std::size_t>(cutter.frame_pixels()));
      cutter.cut(frame, stride, pixels.data() + before);
    };
    const auto cut = [&](std::int64_t t, const std::uint8_t* frame, std::int64_t stride) {
      check_frames(t + 1);
      options_.levels ? append(clip.levels, frame, stride) : append(clip.video, frame, stride);
    };
    const auto pictures = decode_video(utterance, cut, format);
    if (!utterance.length_is_approximate && pictures.frames != utterance.frames)
      wrong_frame_count(utterance, pictures.frames);
    clip.frames = pictures.frames;
    start_s = pictures.start_s;
  } else if (!options_.whole_sound) {
    clip.frames = told_frames(utterance).value_or(utterance.frames);
    check_frames(clip.frames);
  }
  if (wanted.audio) {
    read_audio(utterance, start_s, [&](std::size_t found) -> std::span<float> {
      if (!wanted.video && options_.whole_sound) {
        clip.frames = static_cast<std::int64_t>(found) / media::kSamplesPerFrame;
        check_frames(clip.frames);
      }
      clip.audio.resize(static_cast<std::size_t>(clip.frames * media::kSamplesPerFrame));
      return clip.audio;
    });
    finish_sound(utterance, clip.audio, noise_draws);
  }
  if (clip.frames > 0) return clip;
  throw DataError(
      fmt::format("{}: '{}' holds less than one frame", place_of(utterance), utterance.id),
      "empty");
}

std::optional<std::int64_t> SampleReader::told_frames(const Utterance& utterance) const try {
  if (utterance.video.empty()) return std::nullopt;
  if (ends_in(utterance.video, ".npy")) {
    const Bytes bytes(utterance.video, *shards_);
    const auto array = corpus::parse_npy(bytes.view(), utterance.video.text());
    if (array.shape.empty()) return std::nullopt;
    return array.shape.front();
  }
  const MediaSource source(utterance.video, *shards_);
  const double duration_s = media::probe(source.get()).video_duration_s;
  if (!(duration_s > 0)) return std::nullopt;
  return std::llround(duration_s * static_cast<double>(media::kFrameRateHz));
} catch (const DataError&) {  // whoever reads it says what is wrong with it
  return std::nullopt;
}

std::int64_t SampleReader::check(const Utterance& utterance) const {
  Pictures pictures{.frames = utterance.frames, .start_s = {}};
  constexpr auto kGrey = media::PixelFormat::kGrey;
  const auto keep_nothing = [](std::int64_t, const std::uint8_t*, std::int64_t) {};
  if (!utterance.video.empty()) {
    pictures = utterance.length_is_approximate ? decode_video(utterance, keep_nothing, kGrey)
                                               : read_video(utterance, keep_nothing, kGrey);
  }
  if (!modalities(utterance).audio) return pictures.frames;
  const auto wanted = static_cast<std::size_t>(pictures.frames * media::kSamplesPerFrame);
  const auto check_length = [&](std::size_t found) {
    if (found >= wanted / 2) return;
    throw DataError(fmt::format("{}: '{}' {} {} frames, {:.2f} s, but has only {:.2f} s of sound",
                                place_of(utterance), utterance.id,
                                utterance.length_is_approximate ? "holds" : "lists",
                                pictures.frames, media::seconds(pictures.frames),
                                static_cast<double>(found) / media::kSampleRateHz),
                    "short-sound");
  };
  std::vector<float> samples;
  read_audio(utterance, pictures.start_s, [&](std::size_t found) -> std::span<float> {
    check_length(found);  // memory is spent on what is listed only once as much of it is there
    samples.resize(wanted);
    return samples;
  });
  return pictures.frames;
}

Modalities SampleReader::modalities(const Utterance& utterance) const {
  auto found = listed_modalities(utterance);
  if (!found.audio || !utterance.audio.empty()) return found;
  try {
    const MediaSource source(utterance.video, *shards_);
    found.audio = media::probe(source.get()).has_audio;
  } catch (const DataError&) {  // whoever reads it says what is wrong with it
  }
  return found;
}

Sample SampleReader::read(const Utterance& utterance, const Placement& placement) const {
  const auto side = options_.video.crop;
  Sample sample{
      .id = utterance.id,
      .video = torch::empty({utterance.frames, side, side}, torch::kUInt8),
      .audio = torch::empty({utterance.frames * media::kSamplesPerFrame}, torch::kFloat32),
      .frames = utterance.frames};
  read(utterance, {placement}, sample.video.data_ptr<std::uint8_t>(),
       sample.audio.data_ptr<float>());
  return sample;
}

SampleReader::Pictures SampleReader::read_video(const Utterance& utterance, const FrameSink& sink,
                                                media::PixelFormat format) const {
  const auto as_listed = [&](std::int64_t t, const std::uint8_t* pixels, std::int64_t stride) {
    if (t < utterance.frames) sink(t, pixels, stride);
  };
  const auto pictures = decode_video(utterance, as_listed, format);
  if (pictures.frames != utterance.frames) wrong_frame_count(utterance, pictures.frames);
  return pictures;
}

SampleReader::Pictures SampleReader::decode_video(const Utterance& utterance, const FrameSink& sink,
                                                  media::PixelFormat format) const {
  if (utterance.video.empty()) {
    throw DataError(fmt::format("{}: '{}' has no video", place_of(utterance), utterance.id),
                    "no-video");
  }
  if (ends_in(utterance.video, ".npy")) {
    const Bytes bytes(utterance.video, *shards_);
    return decode_raw_video(utterance, bytes.view(), sink);
  }
  const MediaSource source(utterance.video, *shards_);
  media::VideoReader reader(source.get(), {.format = format});
  if (reader.height() != kStoredSide || reader.width() != kStoredSide) {
    wrong_shape(utterance.video,
                fmt::format("frames are {} x {}", reader.width(), reader.height()));
  }
  std::int64_t found = 0;
  for (auto frame = reader.next(); frame; frame = reader.next(), ++found) {
    if (frame->height != kStoredSide || frame->width != kStoredSide) {
      wrong_shape(utterance.video,
                  fmt::format("frame {} is {} x {}", found, frame->width, frame->height));
    }
    sink(found, frame->pixels, frame->stride);
  }
  return {.frames = found, .start_s = reader.start_s()};
}

SampleReader::Pictures SampleReader::decode_raw_video(const Utterance& utterance,
                                                      std::span<const std::byte> bytes,
                                                      const FrameSink& sink) const {
  const auto array = corpus::parse_npy(bytes, utterance.video.text());
  const bool is_byte =
      array.descr == "|u1" || array.descr == "<u1" || array.descr == "u1" || array.descr == ">u1";
  if (!is_byte || array.fortran_order || array.shape.size() != 3 || array.shape[1] != kStoredSide ||
      array.shape[2] != kStoredSide) {
    std::string shape;
    for (const auto size : array.shape) shape += (shape.empty() ? "" : ", ") + std::to_string(size);
    wrong_shape(utterance.video, fmt::format("array of type {} and shape ({}){}", array.descr,
                                             shape, array.fortran_order ? " in column order" : ""));
  }
  const auto* pixels = reinterpret_cast<const std::uint8_t*>(array.data.data());
  for (std::int64_t t = 0; t < array.shape[0]; ++t) sink(t, pixels + t * kPixels, kStoredSide);
  return {.frames = array.shape[0], .start_s = {}};
}

std::size_t SampleReader::read_audio(const Utterance& utterance, std::optional<double> start_s,
                                     const Room& room) const {
  if (sound_is_in_video(utterance)) {
    return read_media_audio(utterance.video, *shards_,
                            {.origin_s = start_s, .from_first_picture = true}, room);
  }
  if (utterance.audio.empty()) {
    throw DataError(
        fmt::format("{}: '{}' has raw frames and no audio", place_of(utterance), utterance.id),
        "no-audio");
  }
  if (ends_in(utterance.audio, ".wav")) {
    if (const auto found = read_plain_wave(utterance.audio, *shards_, room)) return *found;
  }
  return read_media_audio(utterance.audio, *shards_, {}, room);
}

void SampleReader::mix_noise(const Utterance& utterance, std::span<float> samples,
                             Random& draws) const {
  options_.noise->mix(utterance, samples, draws, [this](const Utterance& voice) {
    std::vector<float> clean;
    read_audio(voice, std::nullopt, [&](std::size_t found) -> std::span<float> {
      const auto listed = static_cast<std::size_t>(voice.frames * media::kSamplesPerFrame);
      clean.resize(voice.length_is_approximate ? found : listed);
      return clean;
    });
    return clean;
  });
}

void SampleReader::wrong_frame_count(const Utterance& utterance, std::int64_t found) const {
  throw DataError(
      fmt::format("{}: '{}' lists {} video frames but the clip holds {}; rebuild the manifest",
                  place_of(utterance), utterance.id, utterance.frames, found),
      "frame-count");
}

std::string SampleReader::place_of(const Utterance& utterance) const {
  return utterance.origin.text(manifest_);
}

}  // namespace raven::data
