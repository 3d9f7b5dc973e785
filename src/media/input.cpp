#include "media/input.h"

#include <spdlog/fmt/fmt.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <string_view>
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

void check_duration(const Input& input, const AVStream& stream, const Limits& limits) {
  const double duration_s = input.duration_s(stream);
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

Input::Input(const Source& source) : name_(source.name()) {
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
                                 name_),
                     "unsupported");
  }
  av_check(code, "open", name_);
  format_.reset(raw);
}

Input::~Input() = default;
Input::Input(Input&&) noexcept = default;
Input& Input::operator=(Input&& other) noexcept {
  format_ = std::move(other.format_);
  reader_ = std::move(other.reader_);
  name_ = std::move(other.name_);
  selected_ = other.selected_;
  return *this;
}

const AVStream* Input::first(AVMediaType kind) const {
  for (unsigned i = 0; i < format_->nb_streams; ++i) {
    const AVStream* stream = format_->streams[i];
    const bool cover = (stream->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
    if (stream->codecpar->codec_type == kind && !cover) return stream;
  }
  return nullptr;
}

void Input::select(const AVStream& stream) {
  selected_ = stream.index;
  for (unsigned i = 0; i < format_->nb_streams; ++i) {
    const bool wanted = static_cast<int>(i) == selected_;
    format_->streams[i]->discard = wanted ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
  }
}

bool Input::header_suffices(const AVStream& stream) const {
  const auto& codec = *stream.codecpar;
  const std::string_view container = format_->iformat->name;
  const bool complete = codec.codec_type == AVMEDIA_TYPE_VIDEO
                            ? codec.width > 0 && codec.height > 0 && codec.extradata_size > 0
                            : codec.sample_rate > 0 && num_channels(codec) > 0;
  const bool honest = container == "wav" || container == "flac" || container.starts_with("mov,");
  return complete && honest && codec.codec_id != AV_CODEC_ID_NONE;
}

void Input::find_stream_info(const Limits& limits) {
  check_headers(*this, limits);  // it decodes some of every stream
  ProbeOptions options(format_->nb_streams, limits);
  av_check(avformat_find_stream_info(format_.get(), options.get()), "read the stream list", name_);
}

bool Input::read(AVPacket& packet) {
  for (int idle = 0; idle < kMaxIdlePackets; ++idle) {
    av_packet_unref(&packet);
    const int code = av_read_frame(format_.get(), &packet);
    if (code == AVERROR_EOF) return false;
    if (code == AVERROR(EAGAIN)) continue;
    av_check(code, "read a packet", name_);
    if (packet.stream_index == selected_) return true;
    idle = 0;
  }
  throw MediaError(fmt::format("{}: no packet after {} attempts", name_, kMaxIdlePackets));
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
