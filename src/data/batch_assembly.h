// A batch while it is made: rows are filled by any threads, then good rows move together.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "data/batch_memory.h"
#include "raven/data/loader.h"
#include "raven/data/sample_reader.h"
#include "raven/data/transforms.h"

namespace raven::data {

struct SkippedItem {
  std::int64_t item = 0;  // index into the manifest
  std::string reason, message;
};

/// A clip that is not as long as a published list says.
struct OtherLength {
  std::int64_t item = 0, frames = 0;
};

/// Shapes as in sample.h. `items` are indices into the manifest, in the batch's order.
///
/// Note [Clips longer than listed]
/// Lengths that files decide are known only when they have been read. A row has room for the
/// longest listed clip of the batch; a longer clip is kept beside it as long as all of those
/// together stay within max_frames, and is read a second time in finish() otherwise. So a batch
/// takes three times its budget at most while it is made, and never more than its budget in the
/// end.
class BatchAssembly {
 public:
  /// manifest and options must outlive this. `sizes`: of all utterances, as planned.
  BatchAssembly(const Manifest& manifest, const LoaderOptions& options,
                const LoaderPosition& position, std::vector<std::int64_t> items,
                const std::vector<std::int64_t>& sizes, std::shared_ptr<BatchMemory> memory);

  [[nodiscard]] std::size_t num_rows() const { return rows_.size(); }

  /// Reads one utterance into its row. Different rows may be filled at the same time. A DataError
  /// is kept as the row's outcome, anything else for finish().
  void fill(std::size_t row, const SampleReader& reader);

  /// After all rows are filled. Throws what a fill() met that was no DataError. One batch, several
  /// with LoaderOptions::split_long_batches, none when no row is good.
  std::vector<Batch> finish(const SampleReader& reader);

  /// Rows left out, in the batch's order; known after finish(), as are the next two.
  [[nodiscard]] const std::vector<SkippedItem>& skipped() const { return skipped_; }
  [[nodiscard]] const std::vector<OtherLength>& other_lengths() const { return other_lengths_; }
  /// Good clips that there was no room for.
  [[nodiscard]] std::int64_t num_left_out() const { return num_left_out_; }

 private:
  enum class Outcome { kGood, kSkipped, kFailed };
  enum class Place { kInRow, kBeside, kNowhere };
  struct Row {
    Outcome outcome = Outcome::kGood;
    Place place = Place::kInRow;
    std::int64_t frames = 0;  // 0: more than max_frames
    WholeClip beside;
    SkippedItem skipped;
    std::exception_ptr error;
    std::vector<Run> masked_frames;  // by adaptive time masking
  };
  using Rows = std::vector<std::size_t>;

  [[nodiscard]] const Utterance& utterance_of(std::size_t row) const;
  [[nodiscard]] Modalities wanted() const;
  [[nodiscard]] std::int64_t max_clip_frames() const;
  /// Where its frames are cut: for Batch::video, then for teacher_video.
  [[nodiscard]] std::vector<Placement> views_of(std::size_t row) const;
  /// Bytes of one frame of a row: of all its views.
  [[nodiscard]] std::int64_t frame_bytes() const;
  [[nodiscard]] std::byte* video_row(BatchMemory& memory, std::size_t row,
                                     std::int64_t num_frames) const;
  [[nodiscard]] float* audio_row(BatchMemory& memory, std::size_t row,
                                 std::int64_t num_frames) const;
  void fill_as_listed(std::size_t row, const SampleReader& reader);
  void fill_whole(std::size_t row, const SampleReader& reader);
  [[nodiscard]] WholeClip read_whole(std::size_t row, std::int64_t max_frames,
                                     const SampleReader& reader);
  void put(const WholeClip& clip, BatchMemory& memory, std::size_t row,
           std::int64_t num_frames) const;
  void pad(BatchMemory& memory, std::size_t row, std::int64_t from, std::int64_t num_frames) const;
  void mask_times(std::size_t row, float* audio);
  void skip(std::size_t row, const DataError& error);

  [[nodiscard]] Rows good_rows() const;
  [[nodiscard]] Rows with_room(const Rows& rows) const;
  [[nodiscard]] std::vector<Rows> parts_of(const Rows& rows) const;
  [[nodiscard]] std::int64_t longest(const Rows& rows) const;
  void close_up(const Rows& rows, std::int64_t num_frames);
  [[nodiscard]] std::shared_ptr<BatchMemory> gather(const Rows& rows, std::int64_t num_frames);
  [[nodiscard]] Rows fetched(const Rows& rows, const SampleReader& reader);
  [[nodiscard]] Batch batch_of(const Rows& rows, const std::shared_ptr<BatchMemory>& memory,
                               std::int64_t num_frames) const;
  [[nodiscard]] torch::Tensor draw_masks(const Rows& rows, std::int64_t num_frames,
                                         Draw draw) const;
  [[nodiscard]] torch::Tensor time_masks(const Rows& rows, std::int64_t num_frames) const;
  [[nodiscard]] torch::Tensor labels(const Rows& rows) const;
  [[nodiscard]] Random stream(std::int64_t item, Draw draw) const;
  [[nodiscard]] Random noise_stream(std::int64_t item) const;

  const Manifest& manifest_;
  const LoaderOptions& options_;
  const LoaderPosition position_;
  std::vector<std::int64_t> items_;
  std::int64_t num_frames_ = 0;  // T, of the longest row as planned
  std::shared_ptr<BatchMemory> memory_;
  std::vector<Row> rows_;
  std::unique_ptr<std::atomic<std::int64_t>> frames_beside_;
  std::vector<SkippedItem> skipped_;
  std::vector<OtherLength> other_lengths_;
  std::int64_t num_left_out_ = 0;
};

}  // namespace raven::data
