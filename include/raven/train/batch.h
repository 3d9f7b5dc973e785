// A batch of any stage, and where batches come from.
#pragma once

#include <any>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "raven/core/error.h"
#include "raven/data/loader.h"

namespace raven::train {

/// What a batch holds is between the source that makes it and the task that takes it.
class Batch {
 public:
  /// `num_frames`: without padding, for the speed that is reported; of text, its units.
  template <class Content>
  Batch(Content content, std::int64_t num_frames)
      : content_(std::move(content)), num_frames_(num_frames) {}

  /// On the CPU.
  template <class Content>
  [[nodiscard]] const Content& as() const {
    const auto* content = std::any_cast<Content>(&content_);
    RAVEN_CHECK(content != nullptr, "a source makes other batches than its task takes");
    return *content;
  }
  [[nodiscard]] std::int64_t num_frames() const { return num_frames_; }

 private:
  std::any content_;
  std::int64_t num_frames_;
};

/// Batches without end, in an order that follows from the position alone.
class BatchSource {
 public:
  BatchSource() = default;
  virtual ~BatchSource() = default;
  BatchSource(const BatchSource&) = delete;
  BatchSource& operator=(const BatchSource&) = delete;

  virtual Batch next() = 0;
  /// Of the batch that next() will give; kept in checkpoints.
  [[nodiscard]] virtual data::LoaderPosition position() const = 0;
  /// Throws ConfigError when there is no such batch.
  virtual void seek(const data::LoaderPosition& position) = 0;
  [[nodiscard]] virtual std::int64_t batches_per_epoch() const = 0;
  /// "id<TAB>reason<TAB>message" of what could not be used so far.
  [[nodiscard]] virtual std::vector<std::string> skipped_lines() const { return {}; }
  /// Time spent in next(), in total.
  [[nodiscard]] virtual double waited_s() const { return 0; }
};

/// The clips of a loader that is endless: batches hold data::Batch.
class ClipSource : public BatchSource {
 public:
  ClipSource(data::Manifest manifest, const data::LoaderOptions& options)
      : loader_(std::move(manifest), options) {}

  Batch next() override;
  [[nodiscard]] data::LoaderPosition position() const override { return loader_.position(); }
  void seek(const data::LoaderPosition& position) override { loader_.seek(position); }
  [[nodiscard]] std::int64_t batches_per_epoch() const override {
    return loader_.batches_per_epoch();
  }
  [[nodiscard]] std::vector<std::string> skipped_lines() const override {
    return loader_.skipped_lines();
  }
  [[nodiscard]] double waited_s() const override { return loader_.waited_s(); }

 private:
  data::Loader loader_;
};

}  // namespace raven::train
