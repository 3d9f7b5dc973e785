#include "media/input.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "media/byte_reader.h"
#include "raven/core/error.h"

namespace raven::media {
namespace {

// Self-contained files only: nothing here can name another file. Playlists and descriptions of
// sessions (hls, dash, concat, sdp, rtsp, imf, ...) are absent, and so are capture devices.
constexpr const char* kDemuxers =
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,wav,w64,flac,mp3,aac,ogg,mpeg,mpegts,mpegvideo,flv,"
    "live_flv,asf,h264,hevc,h263,m4v,mjpeg,aiff,au,caf,amr,ac3,eac3,dts,truehd,tta,ape,wv,mxf,gxf,"
    "nut,ivf,obu,rm,dv,vob,yuv4mpegpipe,nsv,swf,wtv,xa,voc,nistsphere,gif,apng,avs2,av1";
constexpr int kMaxStreams = 256;
constexpr int kMaxIdlePackets = 10'000;  // "try again" answers in a row

int refuse_to_open(AVFormatContext* /*format*/, AVIOContext** /*io*/, const char* url,
                   int /*flags*/, AVDictionary** /*options*/) {
  av_log(nullptr, AV_LOG_ERROR, "the file refers to another one, '%s', which is not read", url);
  return AVERROR(EPERM);
}

/// Shards hold mp4, WAV and FLAC by the thousand: their first bytes name them, so that libav need
/// not ask each of its demuxers in turn. Null for anything else.
InputFormat* known_format(const ByteReader& reader) {
  static InputFormat* const mov = av_find_input_format("mov");
  static InputFormat* const wav = av_find_input_format("wav");
  static InputFormat* const flac = av_find_input_format("flac");
  std::array<char, 12> bytes{};
  const std::string_view head(
      bytes.data(), reader.peek({reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()}));
  if (head.size() < bytes.size()) return nullptr;
  if (head.substr(4, 4) == "ftyp") return mov;
  if (head.substr(0, 4) == "RIFF" && head.substr(8, 4) == "WAVE") return wav;
  if (head.substr(0, 4) == "fLaC") return flac;
  return nullptr;
}

/// Pictures by themselves; a film in one of these codecs is taken where there is no other.
bool is_still_codec(AVCodecID codec) {
  switch (codec) {
    case AV_CODEC_ID_MJPEG:
    case AV_CODEC_ID_PNG:
    case AV_CODEC_ID_BMP:
    case AV_CODEC_ID_GIF:
    case AV_CODEC_ID_TIFF:
    case AV_CODEC_ID_WEBP:
      return true;
    default:
      return false;
  }
}

bool is_cover(const AVStream& stream) {
  return (stream.disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
}

/// Greater is more of a film; players' own order decides among equals.
int likeness_to_film(const AVStream& stream) {
  const bool thumbnails = (stream.disposition & AV_DISPOSITION_TIMED_THUMBNAILS) != 0;
  if (thumbnails || stream.nb_frames == 1) return 0;
  return is_still_codec(stream.codecpar->codec_id) ? 1 : 2;
}

/// As av_find_best_stream orders them first of all.
int standing(const AVStream& stream) {
  constexpr int kImpaired = AV_DISPOSITION_HEARING_IMPAIRED | AV_DISPOSITION_VISUAL_IMPAIRED;
  return ((stream.disposition & kImpaired) == 0 ? 1 : 0) +
         ((stream.disposition & AV_DISPOSITION_DEFAULT) != 0 ? 1 : 0);
}

bool is_mov(const AVFormatContext& format) {
  return std::string_view(format.iformat->name).starts_with("mov,");
}

void check_duration(const Input& input, const AVStream& stream, const Limits& limits) {
  // Other containers guess it from a bit rate or keep what a broken recorder wrote; what they hold
  // is measured while it is decoded.
  const double duration_s = input.header_counts_samples() ? input.duration_s(stream) : 0;
  if (duration_s > limits.max_duration_s) {
    throw MediaError(fmt::format("{}: lasts {:.0f} s, more than the {:.0f} s allowed", input.name(),
                                 duration_s, limits.max_duration_s),
                     "too-large");
  }
}

/// Options for the decoders that avformat_find_stream_info opens, one dictionary for each stream.
class ProbeOptions {
 public:
  ProbeOptions(unsigned num_streams, const Limits& limits) : dictionaries_(num_streams, nullptr) {
    for (auto& dictionary : dictionaries_) {
      av_dict_set_int(&dictionary, "threads", 1, 0);
      av_dict_set_int(&dictionary, "max_pixels", max_pixels(limits), 0);
    }
  }
  ~ProbeOptions() {
    for (auto& dictionary : dictionaries_) av_dict_free(&dictionary);
  }
  ProbeOptions(const ProbeOptions&) = delete;
  ProbeOptions& operator=(const ProbeOptions&) = delete;

  AVDictionary** get() { return dictionaries_.empty() ? nullptr : dictionaries_.data(); }

 private:
  std::vector<AVDictionary*> dictionaries_;
};

/// Of all streams.
void check_headers(const Input& input, const Limits& limits) {
  for (unsigned i = 0; i < input.format().nb_streams; ++i) {
    const AVStream& stream = *input.format().streams[i];
    const auto kind = stream.codecpar->codec_type;
    if (kind == AVMEDIA_TYPE_VIDEO) check_video_header(input, stream, limits);
    if (kind == AVMEDIA_TYPE_AUDIO) check_audio_header(input, stream, limits);
  }
}

}  // namespace

void FirstPicture::add(const AVPacket& packet, AVRational time_base) {
  constexpr std::int64_t kMostReordered = 16;  // pictures that any codec keeps back
  if (settled_) return;
  const bool is_first = num_packets_++ == 0;
  if (is_first) {
    first_dts_ = packet.dts;
    const bool is_start = (packet.flags & AV_PKT_FLAG_KEY) != 0 &&
                          (packet.flags & AV_PKT_FLAG_DISCARD) == 0 &&
                          packet.pts != AV_NOPTS_VALUE && !contradicts_itself(packet, time_base);
    if (is_start) time_ = packet.pts;
  }
  if (time_ && (packet.pts == AV_NOPTS_VALUE || packet.pts < *time_)) time_.reset();
  // One time alone may be wrong.
  if (num_packets_ == 2 && !follows(first_dts_, packet.dts, time_base)) time_.reset();
  const bool rest_is_later =
      !is_first && time_ && packet.dts != AV_NOPTS_VALUE && packet.dts >= *time_;
  settled_ = !time_ || rest_is_later || num_packets_ > kMostReordered;
}

Input::Input(const Source& source) : source_(source) {
  start_libav();
  clear_log();
  reader_ = std::make_unique<ByteReader>(source);
  AVFormatContext* raw = avformat_alloc_context();
  if (raw == nullptr) throw std::bad_alloc();
  raw->pb = reader_->context();
  raw->io_open = refuse_to_open;
  raw->max_streams = kMaxStreams;
  raw->format_whitelist = av_strdup(kDemuxers);
  raw->protocol_whitelist = av_strdup("");
  InputFormat* known = known_format(*reader_);
  // libav would look for DTS in the samples of every PCM file, which takes longer than reading
  // them.
  if (known != nullptr) raw->max_probe_packets = 1;
  // On failure libav frees the context itself.
  const int code = avformat_open_input(&raw, nullptr, known, nullptr);
  if (code == AVERROR(EINVAL) && last_log().find("whitelist") != std::string::npos) {
    throw MediaError(fmt::format("{}: of a kind that is not read (a playlist, a subtitle file or a "
                                 "rare container); convert it to mp4 or wav",
                                 name()),
                     "unsupported");
  }
  av_check(code, "open", name());
  format_.reset(raw);
  joined_ = JoinedTimes(is_broadcast());
}

Input::~Input() = default;

const AVStream* Input::best(AVMediaType kind) const {
  // Of several programmes in one broadcast, the sound is that of the picture.
  const AVStream* picture = kind == AVMEDIA_TYPE_AUDIO ? best(AVMEDIA_TYPE_VIDEO) : nullptr;
  const int players = av_find_best_stream(format_.get(), kind, -1,
                                          picture == nullptr ? -1 : picture->index, nullptr, 0);
  const auto rank = [&](const AVStream& stream) {
    return std::tuple(likeness_to_film(stream), stream.index == players, standing(stream),
                      stream.codecpar->bit_rate);
  };
  const AVStream* best = nullptr;
  for (unsigned i = 0; i < format_->nb_streams; ++i) {
    const AVStream* stream = format_->streams[i];
    if (stream->codecpar->codec_type != kind || is_cover(*stream)) continue;
    if (best == nullptr || rank(*stream) > rank(*best)) best = stream;
  }
  return best;
}

TrackChoice Input::choice(const AVStream& stream) const {
  TrackChoice choice{.number = 0, .of = 0};
  for (unsigned i = 0; i < format_->nb_streams; ++i) {
    const AVStream& other = *format_->streams[i];
    if (other.codecpar->codec_type != stream.codecpar->codec_type || is_cover(other)) continue;
    ++choice.of;
    if (other.index <= stream.index) ++choice.number;
  }
  return choice;
}

void Input::select(const std::vector<int>& streams) {
  selected_ = streams;
  for (unsigned i = 0; i < format_->nb_streams; ++i) {
    const bool wanted = is_selected(static_cast<int>(i));
    format_->streams[i]->discard = wanted ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
  }
}

void Input::watch(const AVStream& pictures) {
  watched_ = pictures.index;
  format_->streams[watched_]->discard = AVDISCARD_DEFAULT;
}

std::optional<double> Input::first_picture_s() const {
  const auto time = first_picture_.time();
  if (!time || !has_presentation_times() || joined_.searched()) return std::nullopt;
  return static_cast<double>(*time) * av_q2d(format_->streams[watched_]->time_base);
}

bool Input::is_selected(int stream) const {
  return std::find(selected_.begin(), selected_.end(), stream) != selected_.end();
}

bool Input::header_counts_samples() const {
  const std::string_view container = format_->iformat->name;
  return container == "wav" || container == "flac" || is_mov(*format_);
}

bool Input::header_suffices(const AVStream& stream) const {
  const auto& codec = *stream.codecpar;
  const bool complete = codec.codec_type == AVMEDIA_TYPE_VIDEO
                            ? codec.width > 0 && codec.height > 0 && codec.extradata_size > 0
                            : codec.sample_rate > 0 && num_channels(codec) > 0;
  return complete && header_counts_samples() && codec.codec_id != AV_CODEC_ID_NONE;
}

void Input::find_stream_info(const Limits& limits) {
  check_headers(*this, limits);  // it decodes some of every stream
  ProbeOptions options(format_->nb_streams, limits);
  av_check(avformat_find_stream_info(format_.get(), options.get()), "read the stream list", name());
  probed_ = limits;
}

bool Input::read(AVPacket& packet) {
  if (!take(packet)) {
    check_not_cut();
    return false;
  }
  joined_.mend(packet, format_->streams[packet.stream_index]->time_base);
  return true;
}

bool Input::take(AVPacket& packet) {
  if (!std::exchange(begun_, true)) look_ahead();
  if (ahead_.empty()) {
    if (!read_selected(packet)) return false;
    look_at(packet);
    return true;
  }
  av_packet_unref(&packet);
  av_packet_move_ref(&packet, ahead_.front().get());
  ahead_.pop_front();
  return true;
}

/// Before the first packet goes out, the second one tells whether its time can be right. In a
/// broadcast, packets without a place take their times from the one before.
void Input::look_ahead() {
  constexpr std::size_t kMost = 64;
  bool has_second = false;
  while (!has_second && ahead_.size() < kMost) {
    auto packet = new_packet();
    if (!read_selected(*packet)) return;
    look_at(*packet);
    has_second = !ahead_.empty() && (packet->pos >= 0 || !is_broadcast());
    ahead_.push_back(std::move(packet));
  }
}

void Input::look_at(const AVPacket& packet) {
  joined_.look_at(packet, format_->streams[packet.stream_index]->time_base,
                  [this] { return find_pieces(); });
}

JoinedFile Input::find_pieces() const {
  Input again(source_);
  if (probed_) again.find_stream_info(*probed_);
  const AVStream* video = again.best(AVMEDIA_TYPE_VIDEO);
  const AVStream* audio = again.best(AVMEDIA_TYPE_AUDIO);
  std::vector<int> streams;
  for (const auto* stream : {video, audio}) {
    if (stream != nullptr) streams.push_back(stream->index);
  }
  again.select(streams);
  PieceFinder finder(video == nullptr ? -1 : video->index, is_broadcast(), name());
  const auto packet = new_packet();
  while (again.read_selected(*packet)) {
    finder.add(*packet, again.format_->streams[packet->stream_index]->time_base);
  }
  return finder.finish();
}

/// The last packets of an mp4 that was cut short are in its index, but not in the file.
void Input::check_not_cut() const {
  if (!is_mov(*format_)) return;
  for (const int i : selected_) {
    AVStream* stream = format_->streams[i];
    const int count = avformat_index_get_entries_count(stream);
    const auto* last = count > 0 ? avformat_index_get_entry(stream, count - 1) : nullptr;
    if (last == nullptr || last->pos + last->size <= reader_->size()) continue;
    throw MediaError(fmt::format("{}: is cut short: {} bytes, but its index goes to {}", name(),
                                 reader_->size(), last->pos + last->size));
  }
}

bool Input::has_presentation_times() const {
  return std::string_view(format_->iformat->name) != "avi";
}

bool Input::is_broadcast() const { return (format_->iformat->flags & AVFMT_TS_DISCONT) != 0; }

bool Input::at_end_of_file() const {
  return avio_feof(format_->pb) != 0 || avio_tell(format_->pb) >= reader_->size();
}

bool Input::read_selected(AVPacket& packet) {
  for (int idle = 0; idle < kMaxIdlePackets; ++idle) {
    av_packet_unref(&packet);
    const int code = av_read_frame(format_.get(), &packet);
    if (code == AVERROR_EOF) return false;
    if (code == AVERROR(EAGAIN)) continue;
    av_check(code, "read a packet", name());
    if (packet.stream_index == watched_) {
      first_picture_.add(packet, format_->streams[watched_]->time_base);
      if (first_picture_.is_settled()) format_->streams[watched_]->discard = AVDISCARD_ALL;
    }
    if (is_selected(packet.stream_index)) return true;
    idle = 0;
  }
  throw MediaError(fmt::format("{}: no packet after {} attempts", name(), kMaxIdlePackets));
}

double Input::duration_s(const AVStream& stream) const {
  if (stream.duration != AV_NOPTS_VALUE && stream.duration > 0) {
    return static_cast<double>(stream.duration) * av_q2d(stream.time_base);
  }
  if (format_->duration != AV_NOPTS_VALUE && format_->duration > 0) {
    return static_cast<double>(format_->duration) / AV_TIME_BASE;
  }
  return 0;
}

void check_size(std::int64_t width, std::int64_t height, const Limits& limits,
                const std::string& name) {
  if (width <= 0 || height <= 0) {
    throw MediaError(fmt::format("{}: pictures of {} x {} pixels", name, width, height));
  }
  if (width > limits.max_width || height > limits.max_height) {
    throw MediaError(fmt::format("{}: pictures of {} x {} pixels, more than the {} x {} allowed",
                                 name, width, height, limits.max_width, limits.max_height),
                     "too-large");
  }
}

std::int64_t max_pixels(const Limits& limits) {
  constexpr std::int64_t kPadding = 128;
  return (limits.max_width + kPadding) * (limits.max_height + kPadding);
}

void check_video_header(const Input& input, const AVStream& stream, const Limits& limits) {
  const auto& codec = *stream.codecpar;
  if (codec.width != 0 || codec.height != 0) {  // else unknown until the first frame
    check_size(codec.width, codec.height, limits, input.name());
  }
  check_duration(input, stream, limits);
}

void check_audio_header(const Input& input, const AVStream& stream, const Limits& limits) {
  const auto channels = num_channels(*stream.codecpar);
  if (channels > limits.max_channels) {
    throw MediaError(fmt::format("{}: {} audio channels, more than the {} allowed", input.name(),
                                 channels, limits.max_channels),
                     "too-large");
  }
  check_duration(input, stream, limits);
}

}  // namespace raven::media
