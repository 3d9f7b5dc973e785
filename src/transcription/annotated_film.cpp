#include "transcription/annotated_film.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>

#include "data/pixel_font.h"
#include "raven/core/error.h"
#include "raven/core/new_file.h"
#include "raven/core/utf8.h"
#include "raven/data/film_mouths.h"
#include "raven/media/audio_stream.h"
#include "raven/media/film_writer.h"
#include "raven/media/video_reader.h"
#include "raven/transcription/subtitles.h"

namespace raven::transcription {
namespace {

namespace fs = std::filesystem;

using Colour = std::array<std::uint8_t, 3>;
constexpr Colour kWindow{255, 210, 0}, kPoint{90, 230, 120}, kText{220, 220, 220},
    kNow{255, 210, 0}, kName{130, 130, 130};
constexpr std::int64_t kLeastWidth = 288;  // of the film; a mouth crop becomes three times its size
constexpr std::int64_t kDash = 6;          // pixels
constexpr double kLinger_s = 1;
constexpr std::size_t kMostName = 6;  // characters, "sound "

std::int64_t even(std::int64_t size) { return size + size % 2; }

class Canvas {
 public:
  /// Of pictures of this size, and a band for so many lines of text.
  Canvas(std::int64_t width, std::int64_t height, std::size_t num_lines)
      : scale_(std::max<std::int64_t>(1, (kLeastWidth + width - 1) / width)),
        picture_height_(height * scale_),
        width_(even(width * scale_)),
        letter_(std::max<std::int64_t>(
            1, width_ / (static_cast<std::int64_t>(kMostCharacters + kMostName + 2) *
                         data::kGlyphAdvance))),
        height_(even(picture_height_ + static_cast<std::int64_t>(num_lines) * line_height())),
        pixels_(static_cast<std::size_t>(3 * width_ * height_)) {}

  [[nodiscard]] std::int64_t width() const { return width_; }
  [[nodiscard]] std::int64_t height() const { return height_; }
  [[nodiscard]] media::RgbPicture view() const { return {pixels_.data(), 3 * width_}; }

  /// Of the picture's size; what was drawn before is gone.
  void show(const corpus::ImageView& picture) {
    std::ranges::fill(pixels_, 0);
    for (std::int64_t y = 0; y < picture_height_; ++y) {
      const auto* row = picture.pixels + y / scale_ * picture.stride;
      for (std::int64_t x = 0; x < picture.width * scale_; ++x)
        std::copy_n(row + x / scale_ * picture.step(), 3, at(x, y));
    }
  }

  void draw(const corpus::MouthPlace& place) {
    for (std::size_t i = 0; i < place.window.size(); ++i)
      line(place.window[i], place.window[(i + 1) % place.window.size()], !place.face);
    if (!place.face) return;
    for (const auto& point : *place.face) dot(point);
  }

  void write(std::size_t number, const std::string& name, const SpokenLine& spoken) {
    const auto top = picture_height_ + static_cast<std::int64_t>(number) * line_height() + letter_;
    auto left = write(name, data::kGlyphAdvance * letter_, top, kName);
    for (std::size_t i = 0; i < spoken.words.size(); ++i) {
      left = write(spoken.words[i], left, top, spoken.now == i ? kNow : kText);
    }
  }

 private:
  [[nodiscard]] std::int64_t line_height() const { return (data::kGlyphHeight + 3) * letter_; }
  /// Where the next word begins.
  std::int64_t write(const std::string& word, std::int64_t left, std::int64_t top,
                     const Colour& colour) {
    if (word.empty()) return left;
    data::draw_text(word, [&](std::int64_t y, std::int64_t x) {
      square(left + x * letter_, top + y * letter_, letter_, colour);
    });
    return left +
           static_cast<std::int64_t>(num_characters(word) + 1) * data::kGlyphAdvance * letter_;
  }
  std::uint8_t* at(std::int64_t x, std::int64_t y) { return pixels_.data() + 3 * (y * width_ + x); }

  /// What lies outside is left out.
  void square(std::int64_t left, std::int64_t top, std::int64_t side, const Colour& colour) {
    for (auto y = std::max<std::int64_t>(top, 0); y < std::min(top + side, height_); ++y) {
      for (auto x = std::max<std::int64_t>(left, 0); x < std::min(left + side, width_); ++x)
        std::ranges::copy(colour, at(x, y));
    }
  }
  void dot(const corpus::Point& point) { mark(point, thickness(), kPoint); }
  void mark(const corpus::Point& point, std::int64_t side, const Colour& colour) {
    const auto scale = static_cast<double>(scale_);
    const auto left = std::llround(point.x * scale), top = std::llround(point.y * scale);
    if (top + side > picture_height_) return;
    square(left, top, side, colour);
  }
  [[nodiscard]] std::int64_t thickness() const { return 2 + width_ / 640; }

  void line(const corpus::Point& from, const corpus::Point& to, bool dashed) {
    const auto length = std::hypot(to.x - from.x, to.y - from.y) * static_cast<double>(scale_);
    const auto steps = std::clamp<std::int64_t>(std::llround(length), 1, 4 * (width_ + height_));
    for (std::int64_t i = 0; i <= steps; ++i) {
      if (dashed && i / kDash % 2 == 1) continue;
      const auto share = static_cast<double>(i) / static_cast<double>(steps);
      mark({from.x + share * (to.x - from.x), from.y + share * (to.y - from.y)}, thickness(),
           kWindow);
    }
  }

  std::int64_t scale_, picture_height_, width_, letter_, height_;
  std::vector<std::uint8_t> pixels_;
};

std::string name_of(config::Modality modality) {
  return modality == config::Modality::kAudio ? "sound" : "lips";
}

/// The film's sound as far as it can be read; what is wrong with it has been said before.
class Sound {
 public:
  explicit Sound(const fs::path& film) {
    try {
      stream_ = std::make_unique<media::AudioStream>(
          film, media::AudioOptions{.from_first_picture = true});
    } catch (const DataError&) {  // a silent film
    }
  }

  [[nodiscard]] bool is_there() const { return stream_ != nullptr; }

  /// Until the end of this frame.
  void add_to(media::FilmWriter& film, std::int64_t frame) {
    while (!ended_ && num_samples_ < (frame + 1) * media::kSamplesPerFrame) {
      const auto stretch = next();
      if (!stretch) return;
      num_samples_ += std::ssize(*stretch);
      film.add(*stretch);
    }
  }

 private:
  std::optional<std::vector<float>> next() {
    try {
      auto stretch = stream_->next();
      ended_ = !stretch;
      return stretch;
    } catch (const DataError&) {
      ended_ = true;
      return std::nullopt;
    }
  }

  std::unique_ptr<media::AudioStream> stream_;
  std::int64_t num_samples_ = 0;
  bool ended_ = false;
};

/// Where the words of a line begin and end in a passage.
struct Line {
  std::size_t begin = 0, end = 0;
};

std::vector<Line> lines_of(const std::vector<Word>& words) {
  std::vector<Line> lines;
  std::size_t length = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto added = num_characters(words[i].text) + 1;
    if (lines.empty() || length + added > kMostCharacters + 1) {
      lines.push_back({.begin = i, .end = i});
      length = 0;
    }
    length += added;
    lines.back().end = i + 1;
  }
  return lines;
}

SpokenLine line_at(const std::vector<Word>& words, const Line& line, double time_s) {
  SpokenLine spoken;
  if (time_s >= words[line.end - 1].end_s + kLinger_s) return spoken;
  for (auto i = line.begin; i < line.end && words[i].begin_s <= time_s; ++i) {
    if (time_s < words[i].end_s) spoken.now = i - line.begin;
    spoken.words.push_back(words[i].text);
  }
  return spoken;
}

}  // namespace

SpokenLine spoken_line(const Transcript& transcript, double time_s) {
  const auto& passages = transcript.passages;
  const auto passage = std::find_if(passages.rbegin(), passages.rend(), [&](const Passage& one) {
    return !one.words.empty() && one.words.front().begin_s <= time_s;
  });
  if (passage == passages.rend()) return {};
  const auto& words = passage->words;
  const auto lines = lines_of(words);
  const auto line = std::find_if(lines.rbegin(), lines.rend(), [&](const Line& one) {
    return words[one.begin].begin_s <= time_s;
  });
  return line_at(words, *line, time_s);
}

bool write_annotated_film(const fs::path& film, const FileTranscript& transcript,
                          const PlaceOf& place_of, const fs::path& target,
                          const std::stop_token& stop) {
  media::VideoReader reader(
      film, {.format = media::PixelFormat::kRgb, .limits = data::limits_of_films()});
  Sound sound(film);
  const bool on_its_side = reader.turn().swaps_sides();
  Canvas canvas(on_its_side ? reader.height() : reader.width(),
                on_its_side ? reader.width() : reader.height(), transcript.transcripts.size());
  const bool several = transcript.transcripts.size() > 1;
  NewFile file(target);
  media::FilmWriter out(file.path(), {.width = static_cast<int>(canvas.width()),
                                      .height = static_cast<int>(canvas.height()),
                                      .with_sound = sound.is_there()});
  for (std::int64_t k = 0; const auto frame = reader.next(); ++k) {
    if (stop.stop_requested()) return false;
    canvas.show(
        corpus::shown({frame->pixels, frame->height, frame->width, frame->channels, frame->stride},
                      reader.turn()));
    if (const auto place = place_of(k)) canvas.draw(*place);
    for (std::size_t i = 0; i < transcript.transcripts.size(); ++i)
      canvas.write(i, several ? name_of(transcript.transcripts[i].modality) : "",
                   spoken_line(transcript.transcripts[i], media::seconds(k)));
    out.add(canvas.view());
    sound.add_to(out, k);
  }
  out.finish();
  file.commit();
  return true;
}

}  // namespace raven::transcription
