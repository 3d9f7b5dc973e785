// One stream's packets -> frames, with codec contexts that are used again for similar clips.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "media/av.h"
#include "media/input.h"
#include "raven/media/media.h"

namespace raven::media {

// Note [Reused decoders]
// A fresh H.264 decoder adds some 8 % to the time of a clip of 75 frames of 96 x 96. A shard's
// clips share size and parameter sets, so a decoder that ended cleanly is flushed and kept, one for
// each thread, for the next clip with equal parameters. Flushing forgets pictures, not parameter
// sets: a context whose packets carried parameter sets of their own is not kept, nor one that met
// an error, so that a clip decodes the same whatever came before it.

// Note [Damage]
// Broadcasts lose packets and disks lose blocks; one spoilt macroblock is no reason to lose a clip.
// Decoders conceal what they can, and what they cannot is left out: the picture before stays, the
// sound has a hole. Damaged pictures (or blocks of sound) are counted by their times, once each,
// and a stream is refused at its end when their share is more than Limits::max_damaged. What comes
// before the first key frame of a broadcast is not damage: the recording was switched on there. The
// same holds where another recording was joined; its pictures know nothing of those before.

class Decoder {
 public:
  /// `stream` belongs to `input`, both checked against `limits`. Throws MediaError ("unsupported",
  /// "corrupt").
  Decoder(const Input& input, const AVStream& stream, const Limits& limits);
  ~Decoder();
  Decoder(Decoder&&) noexcept = default;
  Decoder& operator=(Decoder&&) = delete;

  /// The next frame; false at the end. Throws MediaError when the file cannot be read on, and at
  /// the end when more was damaged than is allowed (note [Damage]).
  bool next(Input& input, AVFrame& frame);
  /// Decoding time of the first packet that was decoded; AV_NOPTS_VALUE when it has none.
  [[nodiscard]] std::int64_t first_dts() const { return first_dts_.value_or(AV_NOPTS_VALUE); }
  /// So far.
  [[nodiscard]] Damage damage() const;

 private:
  bool receive(Input& input, AVFrame& frame);
  void send_next(Input& input);
  void send(Input& input);
  void begin_piece(Input& input);
  /// Counts a packet that cannot be decoded; throws when the reason is not damage.
  void forgive(int code, const Input& input);
  void count_damaged(std::int64_t time);
  void check_damage(const Input& input) const;

  CodecHandle context_;
  PacketHandle packet_;
  double max_damaged_;
  std::set<std::int64_t> damaged_times_;
  std::int64_t damaged_without_time_ = 0, num_packets_ = 0, num_frames_ = 0;
  std::string first_damage_;  // libav's words
  std::optional<std::int64_t> first_dts_;
  bool met_key_packet_ = false, met_frame_ = false;  // of this piece
  std::size_t piece_ = 0;                            // of a file that was joined from several
  bool between_pieces_ = false;  // what the decoder holds back of the last one comes first
  bool draining_ = false;
  int errors_in_a_row_ = 0;
  bool reusable_ = false;  // Note [Reused decoders]
  bool failed_ = false;
};

}  // namespace raven::media
