// An opened media file: its streams and packets, read through our own functions, never by libav
// itself.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "media/av.h"
#include "media/joined_times.h"
#include "raven/media/media.h"

namespace raven::media {

class ByteReader;

/// When the first picture of a stream is shown, told from its packets without decoding them.
class FirstPicture {
 public:
  void add(const AVPacket& packet, AVRational time_base);
  /// Nothing that comes later changes it.
  [[nodiscard]] bool is_settled() const { return settled_; }
  /// In units of the stream's time base; empty when only decoding can tell: the stream does not
  /// begin with a key frame that is shown, pictures before it in time or long after it follow, or
  /// times are missing.
  [[nodiscard]] std::optional<std::int64_t> time() const { return time_; }

 private:
  bool settled_ = false;
  std::int64_t num_packets_ = 0, first_dts_ = 0;
  std::optional<std::int64_t> time_;
};

/// Bytes come from one regular file or from memory; libav is given no way to open anything else (no
/// protocols, playlists or external references), and only demuxers of an allow-list.
class Input {
 public:
  /// Reads the header. Throws MediaError ("missing", "empty", "unsupported", "corrupt").
  explicit Input(const Source& source);
  ~Input();
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  [[nodiscard]] const std::string& name() const { return source_.name(); }
  [[nodiscard]] const AVFormatContext& format() const { return *format_; }

  /// The stream of a kind that players take, which is the default one and not always the first;
  /// null when there is none. Covers are left out, a track of one picture beside a film is no film.
  [[nodiscard]] const AVStream* best(AVMediaType kind) const;
  /// Its place among the streams of its kind.
  [[nodiscard]] TrackChoice choice(const AVStream& stream) const;
  /// The other streams' packets are skipped from now on.
  void select(const AVStream& stream) { select(std::vector{stream.index}); }
  /// Called after select(): also looks at packets of this stream while others are read.
  void watch(const AVStream& pictures);
  /// What was seen of it, when the other stream was read to its end; empty as FirstPicture says.
  [[nodiscard]] std::optional<double> first_picture_s() const;
  /// True for mp4, WAV and FLAC, which list or count what they hold.
  [[nodiscard]] bool header_counts_samples() const;
  /// True for mp4, WAV and FLAC, whose headers say all that decoding needs; other containers tell
  /// frame times or sizes only after libav has looked into their packets.
  [[nodiscard]] bool header_suffices(const AVStream& stream) const;
  /// Decodes as much as libav needs to know what the header leaves out, within `limits`. Throws
  /// MediaError ("too-large") when any stream is beyond them.
  void find_stream_info(const Limits& limits);
  /// The next packet of the selected stream; false at the end. Its times are those of the whole
  /// file also where it was joined from several. Throws MediaError ("corrupt", also for a file that
  /// ends before the last packet of its index).
  bool read(AVPacket& packet);
  /// False for AVI, which counts pictures in the order of decoding: its decoding times are as late
  /// as pictures wait to be put in order.
  [[nodiscard]] bool has_presentation_times() const;
  /// Which of the recordings that were joined to this file the last packet comes from; mostly 0.
  [[nodiscard]] std::size_t piece() const { return joined_.piece(); }
  /// True for containers whose streams may begin and go on anywhere, between two key frames too.
  [[nodiscard]] bool is_broadcast() const;
  /// All bytes were read.
  [[nodiscard]] bool at_end_of_file() const;

  /// Seconds; 0 when the header does not say.
  [[nodiscard]] double duration_s(const AVStream& stream) const;

 private:
  void select(const std::vector<int>& streams);
  [[nodiscard]] bool is_selected(int stream) const;
  bool take(AVPacket& packet);
  void look_ahead();
  void look_at(const AVPacket& packet);
  bool read_selected(AVPacket& packet);
  void check_not_cut() const;
  JoinedFile find_pieces() const;

  Source source_;
  std::unique_ptr<ByteReader> reader_;
  InputHandle format_;  // before reader_ goes
  std::vector<int> selected_;
  std::optional<Limits> probed_;  // find_stream_info was called with these
  JoinedTimes joined_;
  bool begun_ = false;              // the first packet was read
  std::deque<PacketHandle> ahead_;  // looked at before the first one went out
  int watched_ = -1;
  FirstPicture first_picture_;
};

/// Throws MediaError ("too-large") when what the header claims is beyond the limits.
void check_video_header(const Input& input, const AVStream& stream, const Limits& limits);
void check_audio_header(const Input& input, const AVStream& stream, const Limits& limits);

/// Throws MediaError ("too-large") for a picture beyond the limits, and ("corrupt") for one without
/// area.
void check_size(std::int64_t width, std::int64_t height, const Limits& limits,
                const std::string& name);

/// What libav itself may decode: max_pixels of a codec context, with room for padding to blocks.
std::int64_t max_pixels(const Limits& limits);

}  // namespace raven::media
