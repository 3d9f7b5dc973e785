// A batch while it is made: rows are filled by any threads, then good rows move together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
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

/// Shapes as in sample.h. `items` are indices into the manifest, in the batch's order.
class BatchAssembly {
 public:
  /// manifest and options must outlive this.
  BatchAssembly(const Manifest& manifest, const LoaderOptions& options,
                const LoaderPosition& position, std::vector<std::int64_t> items,
                std::shared_ptr<BatchMemory> memory);

  [[nodiscard]] std::size_t num_rows() const { return rows_.size(); }

  /// Reads one utterance into its row. Different rows may be filled at the same time. A DataError
  /// is kept as the row's outcome, anything else for finish().
  void fill(std::size_t row, const SampleReader& reader);

  /// After all rows are filled. Throws what a fill() met that was no DataError. Empty when no row
  /// is good.
  std::optional<Batch> finish();

  /// Rows left out, in the batch's order; known after finish().
  [[nodiscard]] const std::vector<SkippedItem>& skipped() const { return skipped_; }

 private:
  enum class Outcome { kGood, kSkipped, kFailed };
  struct Row {
    Outcome outcome = Outcome::kGood;
    SkippedItem skipped;
    std::exception_ptr error;
    std::vector<Run> masked_frames;  // by adaptive time masking
  };

  /// Bytes of one frame of Batch::video.
  [[nodiscard]] std::int64_t frame_bytes() const;
  [[nodiscard]] std::byte* video_row(std::size_t row, std::int64_t num_frames) const;
  [[nodiscard]] float* audio_row(std::size_t row, std::int64_t num_frames) const;
  void read_row(std::size_t row, const Placement& placement, const SampleReader& reader) const;
  void keep_good_rows();
  void mask_times(std::size_t row);
  [[nodiscard]] torch::Tensor draw_masks(Draw draw) const;
  [[nodiscard]] torch::Tensor time_masks() const;
  [[nodiscard]] torch::Tensor labels() const;
  [[nodiscard]] Random stream(std::int64_t item, Draw draw) const;
  [[nodiscard]] Random noise_stream(std::int64_t item) const;

  const Manifest& manifest_;
  const LoaderOptions& options_;
  const LoaderPosition position_;
  std::vector<std::int64_t> items_;
  std::int64_t num_frames_ = 0;  // T, of the longest row
  std::shared_ptr<BatchMemory> memory_;
  std::vector<Row> rows_;
  std::vector<SkippedItem> skipped_;
};

}  // namespace raven::data
