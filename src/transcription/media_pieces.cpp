#include "raven/transcription/media_pieces.h"

#include <algorithm>
#include <cmath>

#include "raven/core/error.h"
#include "raven/core/utf8.h"
#include "raven/media/audio_stream.h"

namespace raven::transcription {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kCropBytes = corpus::kCropSize * corpus::kCropSize;

/// What has been read of a stream and may still be asked for: `size` values a frame.
template <class T>
class Buffer {
 public:
  explicit Buffer(std::int64_t size) : size_(size) {}

  template <class Values>
  void append(const Values& values) {
    values_.insert(values_.end(), values.begin(), values.end());
  }
  [[nodiscard]] std::int64_t end() const { return first_ + std::ssize(values_) / size_; }
  /// Those of frames [begin, end) that are there.
  [[nodiscard]] std::vector<T> of(std::int64_t begin, std::int64_t end) const {
    const auto from = std::clamp(begin, first_, this->end()),
               to = std::clamp(end, from, this->end());
    return {values_.begin() + (from - first_) * size_, values_.begin() + (to - first_) * size_};
  }
  void forget(std::int64_t before) {
    constexpr std::int64_t kTogether = 100;  // since those behind them move
    if (before - first_ < kTogether) return;
    const auto count = std::min(before, end()) - first_;
    values_.erase(values_.begin(), values_.begin() + count * size_);
    first_ += count;
  }

 private:
  std::int64_t size_, first_ = 0;
  std::vector<T> values_;
};

/// Windows over as many frames as come.
class WindowCutter {
 public:
  explicit WindowCutter(const config::CutConfig& config)
      : length_(std::llround(config.max_s * media::kFrameRateHz)),
        overlap_(std::llround(config.overlap_s * media::kFrameRateHz)) {}

  std::optional<Cut> next(std::int64_t num_frames, bool finished) {
    if (last_end_ == num_frames && finished) return std::nullopt;
    if (begin_ + length_ > num_frames && !finished) return std::nullopt;
    const Cut cut{.begin = begin_,
                  .end = std::min(begin_ + length_, num_frames),
                  .overlaps = begin_ < last_end_};
    last_end_ = cut.end;
    begin_ = cut.end - overlap_;
    return cut;
  }
  [[nodiscard]] std::int64_t needed_from() const { return begin_; }

 private:
  std::int64_t length_, overlap_, begin_ = 0, last_end_ = 0;
};

}  // namespace

struct PieceReader::State {
  State(const fs::path& file, const PieceOptions& given);

  bool read_sound();
  bool read_mouth();
  std::optional<Cut> next_cut(const std::stop_token& stop);

  fs::path file;
  PieceOptions options;
  std::unique_ptr<media::AudioStream> sound;  // wanted, or to cut by
  std::optional<corpus::MouthFilm> mouths;
  Buffer<float> samples{media::kSamplesPerFrame};
  Buffer<std::uint8_t> crops{kCropBytes};
  SoundCutter by_sound;
  WindowCutter by_time;
  bool sound_ended = false, mouths_ended = false;
  std::vector<std::string> remarks;
};

PieceReader::State::State(const fs::path& given_file, const PieceOptions& given)
    : file(given_file), options(given), by_sound(given.cut), by_time(given.cut) {
  if (options.lips) {
    try {
      mouths = data::open_mouths(file, options.mouths);
    } catch (const DataError& error) {
      if (!options.sound) throw;
      remarks.push_back(fmt::format("lips are not read ({}): {}", error.reason(),
                                    printable(full_message(error))));
    }
  }
  if (!options.sound && !options.cut_by_sound) return;
  try {
    sound =
        std::make_unique<media::AudioStream>(file, media::AudioOptions{.from_first_picture = true});
  } catch (const DataError& error) {
    if (!mouths) throw;
    if (options.sound) {
      remarks.push_back(fmt::format("sound is not heard ({}): {}", error.reason(),
                                    printable(full_message(error))));
    }
  }
}

bool PieceReader::State::read_sound() {
  const auto stretch = sound->next();
  if (!stretch) return false;
  samples.append(*stretch);
  by_sound.add(*stretch);
  return true;
}

bool PieceReader::State::read_mouth() {
  const auto crop = mouths_ended ? std::nullopt : mouths->next();
  if (!crop) {
    mouths_ended = true;
    return false;
  }
  crops.append(*crop);
  return true;
}

std::optional<Cut> PieceReader::State::next_cut(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (!sound) {
      crops.forget(by_time.needed_from());
      if (const auto cut = by_time.next(crops.end(), mouths_ended)) return cut;
      if (mouths_ended) return std::nullopt;
      read_mouth();
      continue;
    }
    samples.forget(by_sound.needed_from());
    if (const auto cut = by_sound.next()) return cut;
    if (sound_ended) return std::nullopt;
    if (!read_sound()) {
      sound_ended = true;
      by_sound.finish();
    }
  }
  return std::nullopt;
}

PieceReader::PieceReader(const fs::path& file, const PieceOptions& options)
    : state_(std::make_unique<State>(file, options)) {}
PieceReader::~PieceReader() = default;
PieceReader::PieceReader(PieceReader&&) noexcept = default;

bool PieceReader::has_sound() const { return state_->options.sound && state_->sound; }
bool PieceReader::has_lips() const { return state_->mouths.has_value(); }
bool PieceReader::cuts_by_sound() const { return state_->sound != nullptr; }
std::int64_t PieceReader::num_frames() const {
  return std::max(state_->samples.end(), state_->crops.end());
}

std::vector<std::string> PieceReader::remarks() const {
  auto all = state_->remarks;
  if (state_->mouths && !state_->mouths->remark().empty()) all.push_back(state_->mouths->remark());
  if (has_sound() && state_->sound->channels_cancel())
    all.emplace_back("the channels of the sound cancel each other");
  if (has_sound() && state_->sound->damage().damaged > 0)
    all.push_back(fmt::format("{} of {} blocks of sound are damaged",
                              state_->sound->damage().damaged, state_->sound->damage().of));
  return all;
}

std::optional<MediaPiece> PieceReader::next(const std::stop_token& stop) {
  auto& state = *state_;
  const auto cut = state.next_cut(stop);
  if (!cut) return std::nullopt;
  MediaPiece piece{.cut = *cut};
  if (has_sound()) piece.samples = state.samples.of(cut->begin, cut->end);
  if (state.mouths) {
    if (state.sound) state.crops.forget(cut->begin);
    while (state.crops.end() < cut->end && state.read_mouth()) {
      if (stop.stop_requested()) return std::nullopt;
      if (state.sound) state.crops.forget(cut->begin);
    }
    piece.crops = state.crops.of(cut->begin, cut->end);
  }
  return piece;
}

}  // namespace raven::transcription
