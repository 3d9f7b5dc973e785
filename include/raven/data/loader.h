// Batches of a manifest, made ready by worker threads, the same for any number of them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "raven/config/pretrain_config.h"
#include "raven/data/deal.h"
#include "raven/data/manifest.h"
#include "raven/data/noise.h"
#include "raven/data/sample.h"

namespace raven::data {

/// Utterances that could not be used, each once. Loaders that read the same list again and again
/// share one, so that an utterance is warned of and counted once.
struct SkipRecord {
  std::set<std::string> ids;
  std::map<std::string, std::int64_t> by_reason;
  std::vector<std::string> lines;  // "id<TAB>reason<TAB>message"
};

/// Clips whose files say another length than a published list does; told once, with an example.
/// Loaders that read the same list again and again share one.
struct LengthRecord {
  std::set<std::string> ids;
  std::string example;        // about the first one
  std::int64_t left_out = 0;  // clips that a batch had no room for, each time
  bool told = false;
};

struct LoaderOptions {
  std::int64_t max_frames = 2400;
  std::int64_t workers = 4;
  std::int64_t prefetch = 4;  // batches
  std::int64_t max_skipped = 200;
  /// Where clips are longer than listed and their batch would exceed max_frames: true: it is handed
  /// out in several, so that none is missing; false: as many as fit, drawn from (seed, epoch,
  /// batch), so that a batch stays one and the others come in other epochs.
  bool split_long_batches = false;
  /// A clip of a published list that is longer is skipped; 0: max_frames. What is longer than
  /// max_frames comes alone.
  std::int64_t max_clip_frames = 0;
  std::uint64_t seed = 42;
  bool training = true;  // random order, crops and flips; otherwise listed order, centre crop
  bool pin_memory = false;
  config::VideoInputConfig video;
  config::Waveform waveform = config::Waveform::kAsIs;
  std::optional<config::MaskConfig> mask;  // none: no masks are drawn
  bool read_video = true, read_audio = true;
  bool teacher_crop = false;     // in training batches have teacher_video too
  bool absent_is_blank = false;  // what an utterance lacks is 0; it is not skipped
  /// Mixed into the sound. In training it follows from (seed, epoch, item), otherwise from (seed,
  /// id): an utterance then hears the same whatever else is listed.
  std::shared_ptr<const NoiseSource> noise;
  bool labels = false;  // batches carry the utterances' labels
  /// Adaptive time masks, in training: frames of the video are marked in Batch::masked_video,
  /// samples of the audio are zeroed. Not together with `mask`.
  struct TimeMask {
    std::int64_t window = 0, stride = 0;  // frames or samples
  };
  std::optional<TimeMask> video_time_mask, audio_time_mask;
  bool whole_sound = false;           // sound that is read alone: SampleReader::decides_length()
  std::shared_ptr<SkipRecord> skips;  // null: the loader has its own
  std::shared_ptr<LengthRecord> lengths;  // likewise
  Share share;                            // of several processes; theirs must be endless
};

/// How often each frame is cut: for all networks, and once more for a teacher with its own crop.
inline std::int64_t num_views(const LoaderOptions& options) {
  return options.training && options.teacher_crop ? 2 : 1;
}

/// Of Batch::video: float32 where one of the lists has crops in colour.
torch::ScalarType pixel_type(const Manifest& manifest);

/// What `data` asks of a loader for training.
LoaderOptions training_options(const config::DataConfig& data, std::int64_t seed);
/// The same for one pass over held-out utterances: listed order, centre crops; a batch holds
/// valid_max_frames, or the longest utterance if that is longer, and no clip is left out of it.
LoaderOptions held_out_options(const config::DataConfig& data, std::int64_t seed,
                               const Manifest& manifest);

/// Endless when training (epoch after epoch); ends after one pass otherwise.
/// Every draw comes from (seed, epoch, item); batch k of an epoch is the same whatever was loaded
/// before.
class Loader {
 public:
  /// Throws ConfigError when an utterance is longer than max_frames or the manifest is empty. Of a
  /// published list, an utterance that is listed as longer is looked up in its file.
  Loader(Manifest manifest, const LoaderOptions& options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// The next batch, or a part of it (split_long_batches); empty only at the end of a pass that is
  /// not for training. Throws SkipBudgetError when more than max_skipped utterances were unusable.
  std::optional<Batch> next();

  /// Of the batch that next() will give; with several ranks that which it gives to rank 0. A step
  /// begins with it where all ranks have taken their batches of the last one.
  [[nodiscard]] LoaderPosition position() const;
  /// Exact, in mid-epoch too; there a step begins. Throws ConfigError when there is no such batch.
  void seek(const LoaderPosition& position);
  [[nodiscard]] std::int64_t batches_per_epoch() const;

  /// Skipped so far, each utterance once: reason -> utterances; ids and messages go to log and
  /// `skipped_lines`.
  [[nodiscard]] std::map<std::string, std::int64_t> skipped() const;
  [[nodiscard]] std::vector<std::string> skipped_lines() const;  // "id<TAB>reason<TAB>message"
  [[nodiscard]] double waited_s() const;                         // time spent in next(), in total

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace raven::data
