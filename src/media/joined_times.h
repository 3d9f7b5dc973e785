// Times of files that were joined end to end, as recordings of broadcasts are ("cat a.ts b.ts"),
// and times that are plainly wrong.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "media/av.h"

namespace raven::media {

// Note [Joined recordings]
// A recording begins where the times of every stream that goes on step away at the same place in
// the file: more than half a second back or, in a broadcast, ten seconds ahead. All of them are
// moved by the same amount, so that what belongs together stays together. Where one stream steps
// ahead and another does not, the one has a hole; where it steps back, its clock was set anew, and
// it goes on where it ended. A packet away from those around it has a wrong time, and with it those
// that take theirs from it: a broadcast states one time for several blocks of sound.

/// From `first_packet` of a stream on, `shift_us` is to be added to the container's times.
struct JoinedPiece {
  std::int64_t first_packet = 0;  // counted among the stream's packets
  std::int64_t shift_us = 0;
};

struct JoinedStream {
  std::vector<JoinedPiece> pieces;   // the second and those after it
  std::vector<std::int64_t> strays;  // packets whose times are wrong, sorted
};

using JoinedFile = std::map<int, JoinedStream>;  // by index of the stream

/// Looks for the pieces in the packets of all streams that matter, in the order of the file: note
/// [Joined recordings].
class PieceFinder {
 public:
  static constexpr std::size_t kMostSteps = 5000;  // more than an hour of cuts has

  /// `video`: that stream's index. `may_jump_ahead`: a long step ahead may be a new recording.
  PieceFinder(int video, bool may_jump_ahead, std::string name)
      : video_(video), may_jump_ahead_(may_jump_ahead), name_(std::move(name)) {}

  /// Throws MediaError ("unsupported") for a stream of more than kMostSteps steps.
  void add(const AVPacket& packet, AVRational time_base);
  /// Each piece begins where the one before ends, by its pictures where both have some. Throws
  /// MediaError ("corrupt") for times of no recording.
  [[nodiscard]] JoinedFile finish();

 private:
  struct Span {
    std::int64_t begin_us = std::numeric_limits<std::int64_t>::max();
    std::int64_t end_us = std::numeric_limits<std::int64_t>::min();

    void widen(const Span& other);
  };
  /// Packets of which the first alone has a place and a stated time.
  struct Unit {
    std::int64_t number, count, place, first_us, last_us;
    Span shown;
  };
  /// Between two packets of a stream. Places are bytes of the file.
  struct Step {
    std::int64_t place_before, place;
    std::int64_t from_us, to_us;
    std::int64_t first_packet;
    bool is_long;              // else it only confirms the step of another stream
    bool to_the_last = false;  // nothing follows the packet after it

    [[nodiscard]] bool is_ahead() const { return to_us > from_us; }
    [[nodiscard]] bool meets(const Step& other) const;
  };
  struct Stream {
    std::optional<std::int64_t> last_us;
    std::optional<Unit> away;  // the last one, if it was away from those before
    std::int64_t num_packets = 0, num_units = 0;
    bool has_places = false;
    Unit first;
    std::int64_t last_place = 0;
    bool first_is_alone = false;  // nothing else lies before the first step
    std::size_t num_long = 0, num_short = 0;
    std::vector<Step> steps;
    std::vector<Span> spans{1};  // before, between and after the steps
  };
  class Joining;

  void confirm(Stream& stream, bool is_last);
  void add_strays(int index, const Unit& unit, bool in_front = false);
  std::int64_t place_of(const AVPacket& packet, const Stream& stream);

  int video_;
  bool may_jump_ahead_;
  std::string name_;
  std::int64_t last_place_ = 0;  // of any stream
  std::map<int, Stream> streams_;
  JoinedFile file_;
};

/// Mends one stream's times. In a broadcast, a packet whose two times contradict each other has
/// none. Only a file whose times jump is read a second time for its pieces.
class JoinedTimes {
 public:
  explicit JoinedTimes(bool is_broadcast = false) : is_broadcast_(is_broadcast) {}

  /// Called with each packet before it is mended, some packets ahead where that is wanted;
  /// `find_pieces` is called once, if at all.
  template <class FindPieces>
  void look_at(const AVPacket& packet, AVRational time_base, FindPieces find_pieces) {
    if (!searched_ && jumps(packet, time_base)) {
      searched_ = true;
      file_ = find_pieces();
    }
  }
  /// Changes the next packet's times where needed.
  void mend(AVPacket& packet, AVRational time_base);

  /// Which piece the last packet belongs to, the first being 0.
  [[nodiscard]] std::size_t piece() const { return piece_; }
  /// Some time has jumped.
  [[nodiscard]] bool searched() const { return searched_; }

 private:
  bool jumps(const AVPacket& packet, AVRational time_base);

  bool is_broadcast_;
  std::optional<std::int64_t> last_us_;
  bool searched_ = false;
  JoinedFile file_;
  std::size_t piece_ = 0, num_strays_ = 0;
  std::int64_t num_packets_ = 0;
};

/// Decoding times of two packets of which the second may follow the first at once in one recording:
/// neither half as far back nor half as far ahead as note [Joined recordings] says.
bool follows(std::int64_t from, std::int64_t to, AVRational time_base);

/// True where a packet would be shown before it is decoded, or long after that.
bool contradicts_itself(const AVPacket& packet, AVRational time_base);

}  // namespace raven::media
