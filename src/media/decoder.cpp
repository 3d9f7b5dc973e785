#include "media/decoder.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "raven/core/error.h"

namespace raven::media {
namespace {

constexpr int kSequenceParameters = 7, kPictureParameters = 8, kSequenceExtension = 13,
              kSubsetSequenceParameters = 15;  // H.264, table 7-1

/// This thread's decoder of the previous clip, if it can serve again.
CodecHandle& kept_decoder() {
  thread_local CodecHandle kept;
  return kept;
}

/// H.264 as mp4 and Matroska carry it: parameter sets in the header, lengths before the units.
bool is_avcc(const AVCodecContext& context) {
  return context.codec_id == AV_CODEC_ID_H264 && context.extradata_size >= 7 &&
         context.extradata[0] == 1;
}

bool fits(const AVCodecContext& kept, const AVCodecParameters& wanted, std::int64_t pixels) {
  return kept.codec_id == wanted.codec_id && kept.width == wanted.width &&
         kept.height == wanted.height && kept.max_pixels == pixels &&
         kept.extradata_size == wanted.extradata_size && wanted.extradata_size > 0 &&
         std::memcmp(kept.extradata, wanted.extradata,
                     static_cast<std::size_t>(wanted.extradata_size)) == 0;
}

/// True when a packet changes the decoder's parameter sets, or does not have the expected form.
bool has_parameter_sets(const AVPacket& packet, int length_bytes) {
  const std::uint8_t* data = packet.data;
  std::int64_t left = packet.size;
  while (left > length_bytes) {
    std::int64_t size = 0;
    for (int i = 0; i < length_bytes; ++i) size = (size << 8) | data[i];
    data += length_bytes;
    left -= length_bytes;
    if (size == 0 || size > left) return true;
    const int type = data[0] & 0x1f;
    if (type == kSequenceParameters || type == kPictureParameters || type == kSequenceExtension ||
        type == kSubsetSequenceParameters) {
      return true;
    }
    data += size;
    left -= size;
  }
  return left != 0;
}

CodecHandle open_decoder(const Input& input, const AVStream& stream, const Limits& limits) {
  const auto& parameters = *stream.codecpar;
  if (parameters.codec_id == AV_CODEC_ID_NONE) {
    throw MediaError(
        fmt::format("{}: does not say how it is coded; is it cut short?", input.name()));
  }
  const AVCodec* codec = avcodec_find_decoder(parameters.codec_id);
  if (codec == nullptr) {
    throw MediaError(fmt::format("{}: no decoder for codec '{}'", input.name(),
                                 avcodec_get_name(parameters.codec_id)),
                     "unsupported");
  }
  CodecHandle context(avcodec_alloc_context3(codec));
  if (!context) throw std::bad_alloc();
  av_check(avcodec_parameters_to_context(context.get(), &parameters), "set up the decoder",
           input.name());
  context->pkt_timebase = stream.time_base;
  context->thread_count = 1;
  if (parameters.codec_id == AV_CODEC_ID_FFV1 || parameters.codec_id == AV_CODEC_ID_FLAC) {
    context->err_recognition =
        AV_EF_CRCCHECK | AV_EF_EXPLODE;  // others see damage without checksums
  }
  context->max_pixels = max_pixels(limits);
  context->max_samples =
      static_cast<std::int64_t>(std::min<std::uint64_t>(limits.max_decoded_bytes, INT32_MAX));
  av_check(avcodec_open2(context.get(), codec, nullptr), "open the decoder", input.name());
  return context;
}

}  // namespace

Decoder::Decoder(const Input& input, const AVStream& stream, const Limits& limits)
    : packet_(new_packet()), max_damaged_(limits.max_damaged) {
  auto& kept = kept_decoder();
  if (kept && fits(*kept, *stream.codecpar, max_pixels(limits))) {
    context_ = std::move(kept);
    context_->pkt_timebase = stream.time_base;
  } else {
    context_ = open_decoder(input, stream, limits);
  }
  reusable_ = is_avcc(*context_);
}

Decoder::~Decoder() {
  if (!context_ || !reusable_ || failed_) return;
  avcodec_flush_buffers(context_.get());
  kept_decoder() = std::move(context_);
}

bool Decoder::next(Input& input, AVFrame& frame) {
  const bool failed = std::exchange(failed_, true);  // until this call ends without an exception
  const bool more = receive(input, frame);
  if (!more) check_damage(input);
  const bool patched =
      more && (frame.decode_error_flags != 0 || (frame.flags & AV_FRAME_FLAG_CORRUPT) != 0);
  if (more) ++num_frames_;
  if (patched) count_damaged(frame.best_effort_timestamp);
  failed_ = failed || damage().damaged > 0;
  return more;
}

Damage Decoder::damage() const {
  return {.damaged = std::ssize(damaged_times_) + damaged_without_time_,
          .of = std::max(num_packets_, num_frames_)};
}

void Decoder::count_damaged(std::int64_t time) {
  if (first_damage_.empty()) first_damage_ = last_log();
  if (time == AV_NOPTS_VALUE) {
    ++damaged_without_time_;
  } else {
    damaged_times_.insert(time);
  }
}

void Decoder::check_damage(const Input& input) const {
  const auto [damaged, of] = damage();
  if (static_cast<double>(damaged) <= max_damaged_ * static_cast<double>(of)) return;
  throw MediaError(fmt::format(
      "{}: damaged data in {} of {} {}{}, more than the share of {:.4g} allowed", input.name(),
      damaged, of, context_->codec_type == AVMEDIA_TYPE_VIDEO ? "pictures" : "blocks of sound",
      first_damage_.empty() ? "" : " (" + first_damage_ + ")", max_damaged_));
}

bool Decoder::receive(Input& input, AVFrame& frame) {
  while (true) {
    av_frame_unref(&frame);
    const int code = avcodec_receive_frame(context_.get(), &frame);
    if (code == 0) {
      errors_in_a_row_ = 0;
      met_frame_ = true;
      return true;
    }
    if (code == AVERROR_EOF && between_pieces_) {
      begin_piece(input);
      continue;
    }
    if (code == AVERROR_EOF) return false;
    if (code != AVERROR(EAGAIN)) {
      forgive(code, input);
      continue;
    }
    if (draining_ || between_pieces_)
      throw MediaError(fmt::format("{}: the decoder stalls", input.name()));
    send_next(input);
  }
}

void Decoder::forgive(int code, const Input& input) {
  constexpr int kMostErrorsInARow = 10'000;
  // Damage looks like anything to a decoder, also like a feature that it lacks.
  const bool other = code == AVERROR(ENOMEM) || too_many_pixels() ||
                     (code == AVERROR_PATCHWELCOME && num_frames_ == 0);
  if (other || ++errors_in_a_row_ > kMostErrorsInARow) av_fail(code, "decode", input.name());
  const bool before_the_first = input.is_broadcast() && !met_key_packet_ && !met_frame_;
  if (before_the_first) {
    --num_packets_;
  } else {
    count_damaged(packet_->pts == AV_NOPTS_VALUE ? packet_->dts : packet_->pts);
  }
}

void Decoder::send_next(Input& input) {
  draining_ = !input.read(*packet_);
  if (!draining_ && input.piece() != piece_) {
    piece_ = input.piece();
    between_pieces_ = true;
    const int code = avcodec_send_packet(context_.get(), nullptr);
    if (code < 0) forgive(code, input);
    return;
  }
  send(input);
}

void Decoder::begin_piece(Input& input) {
  avcodec_flush_buffers(context_.get());
  between_pieces_ = met_key_packet_ = met_frame_ = false;
  reusable_ = false;
  send(input);
}

void Decoder::send(Input& input) {
  if (!draining_) {
    ++num_packets_;
    met_key_packet_ = met_key_packet_ || (packet_->flags & AV_PKT_FLAG_KEY) != 0;
  }
  // A WAV file written to a pipe does not know its length, so its last packet looks cut short.
  const bool damaged = !draining_ && (packet_->flags & AV_PKT_FLAG_CORRUPT) != 0 &&
                       context_->codec_type == AVMEDIA_TYPE_VIDEO;
  if (damaged && !input.is_broadcast() && input.at_end_of_file())
    throw MediaError(fmt::format("{}: its last packet is cut short", input.name()));
  if (damaged) count_damaged(packet_->pts == AV_NOPTS_VALUE ? packet_->dts : packet_->pts);
  if (!draining_ && reusable_) {
    reusable_ = !has_parameter_sets(*packet_, (context_->extradata[4] & 3) + 1);
  }
  const int code = avcodec_send_packet(context_.get(), draining_ ? nullptr : packet_.get());
  if (code < 0) {
    forgive(code, input);
  } else if (!draining_ && !first_dts_) {
    first_dts_ = packet_->dts;
  }
}

}  // namespace raven::media
