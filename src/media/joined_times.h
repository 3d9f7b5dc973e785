// Times of files that were joined end to end, as recordings of broadcasts are ("cat a.ts b.ts"),
// and times that are plainly wrong.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "media/av.h"

namespace raven::media {

/// Where the times of a file start again. All streams are moved by the same amount, so that what
/// belongs together stays together.
struct JoinedPiece {
  std::map<int, std::int64_t> first_packet;  // by stream; counted among the stream's packets
  std::int64_t shift_us = 0;                 // from here on, to be added to the container's times
};

struct JoinedFile {
  std::vector<JoinedPiece> pieces;               // the second and those after it
  std::map<int, std::set<std::int64_t>> strays;  // packets whose times are wrong
};

/// Looks for the pieces in the packets of all streams that matter, in the order of the file. A
/// packet away from the one before it begins a piece, unless the next one is where they were: then
/// its time is wrong.
class PieceFinder {
 public:
  /// `video`: that stream's index. `may_jump_ahead`: a long step ahead is a new recording and not a
  /// hole.
  PieceFinder(int video, bool may_jump_ahead) : video_(video), may_jump_ahead_(may_jump_ahead) {}

  void add(const AVPacket& packet, AVRational time_base);
  /// Each piece begins where the one before ends, by its pictures where both have some.
  [[nodiscard]] JoinedFile finish();

 private:
  struct Span {
    std::int64_t begin_us = std::numeric_limits<std::int64_t>::max();
    std::int64_t end_us = std::numeric_limits<std::int64_t>::min();
  };
  struct Packet {
    std::int64_t number, time_us;
    Span shown;
  };
  struct Progress {
    std::optional<std::int64_t> last_us;
    std::optional<Packet> away;  // the packet before this one, if it was away from those before
    std::size_t piece = 0;
    std::int64_t num_packets = 0;
  };
  struct Found {
    std::map<int, std::int64_t> first_packet;
    std::map<int, Span> spans;
  };

  void confirm(int index, Progress& stream);
  void widen(int index, const Progress& stream, const Span& shown);

  int video_;
  bool may_jump_ahead_;
  std::map<int, Progress> streams_;
  std::vector<Found> found_{1};
  std::map<int, std::set<std::int64_t>> strays_;
};

/// Mends one stream's times. Only a file whose times jump is read a second time for its pieces.
class JoinedTimes {
 public:
  /// Changes the packet's times where needed; `find_pieces` is called once, if at all.
  template <class FindPieces>
  void apply(AVPacket& packet, AVRational time_base, FindPieces find_pieces) {
    if (!searched_ && jumps(packet, time_base)) {
      searched_ = true;
      file_ = find_pieces();
    }
    if (searched_) mend(packet, time_base);
    ++num_packets_;
  }

  /// Which piece the last packet belongs to, the first being 0.
  [[nodiscard]] std::size_t piece() const { return piece_; }

 private:
  bool jumps(const AVPacket& packet, AVRational time_base);
  void mend(AVPacket& packet, AVRational time_base);

  std::optional<std::int64_t> last_us_;
  bool searched_ = false;
  JoinedFile file_;
  std::size_t piece_ = 0;
  std::int64_t num_packets_ = 0;
};

}  // namespace raven::media
