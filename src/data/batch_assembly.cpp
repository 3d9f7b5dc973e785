#include "data/batch_assembly.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/utf8.h"
#include "raven/data/span_mask.h"
#include "raven/media/media.h"

namespace raven::data {
namespace {

std::int64_t longest(const Manifest& manifest, const std::vector<std::int64_t>& items) {
  std::int64_t frames = 0;
  for (const auto item : items) {
    frames = std::max(frames, manifest.utterances[static_cast<std::size_t>(item)].frames);
  }
  return frames;
}

/// A message that names a file alone says which line asked for it.
std::string with_origin(const Utterance& utterance, const std::string& message) {
  const auto place = utterance.origin.text();
  return place.empty() || message.starts_with(place) ? message : place + ": " + message;
}

}  // namespace

BatchAssembly::BatchAssembly(const Manifest& manifest, const LoaderOptions& options,
                             const LoaderPosition& position, std::vector<std::int64_t> items,
                             std::shared_ptr<BatchMemory> memory)
    : manifest_(manifest),
      options_(options),
      position_(position),
      items_(std::move(items)),
      num_frames_(longest(manifest, items_)),
      memory_(std::move(memory)),
      rows_(items_.size()) {}

Random BatchAssembly::stream(std::int64_t item, Draw draw) const {
  return {options_.seed, static_cast<std::uint64_t>(position_.epoch),
          static_cast<std::uint64_t>(item), draw};
}

Random BatchAssembly::noise_stream(std::int64_t item) const {
  if (options_.training) return stream(item, Draw::kNoise);
  const auto& id = manifest_.utterances[static_cast<std::size_t>(item)].id;
  return {options_.seed, 0, checksum(id), Draw::kNoise};
}

std::int64_t BatchAssembly::frame_bytes() const {
  return options_.video.crop * options_.video.crop * memory_->video.element_size();
}

// Null for a modality that is not read.
std::byte* BatchAssembly::video_row(std::size_t row, std::int64_t num_frames) const {
  if (!options_.read_video) return nullptr;
  return static_cast<std::byte*>(memory_->video.data_ptr()) +
         static_cast<std::int64_t>(row) * num_frames * frame_bytes();
}

float* BatchAssembly::audio_row(std::size_t row, std::int64_t num_frames) const {
  if (!options_.read_audio) return nullptr;
  return memory_->audio.data_ptr<float>() +
         static_cast<std::int64_t>(row) * num_frames * media::kSamplesPerFrame;
}

void BatchAssembly::read_row(std::size_t row, const Placement& placement,
                             const SampleReader& reader) const {
  const auto& utterance = manifest_.utterances[static_cast<std::size_t>(items_[row])];
  auto noise = noise_stream(items_[row]);
  auto* const video = video_row(row, num_frames_);
  auto* const audio = audio_row(row, num_frames_);
  if (memory_->video.scalar_type() == torch::kFloat32) {
    reader.read_levels(utterance, placement, reinterpret_cast<float*>(video), audio, &noise);
  } else {
    reader.read(utterance, placement, reinterpret_cast<std::uint8_t*>(video), audio, &noise);
  }
  const auto missing = num_frames_ - utterance.frames;
  if (video != nullptr) {
    std::memset(video + utterance.frames * frame_bytes(), 0,
                static_cast<std::size_t>(missing * frame_bytes()));
  }
  if (audio != nullptr) {
    std::fill_n(audio + utterance.frames * media::kSamplesPerFrame,
                missing * media::kSamplesPerFrame, 0.0F);
  }
}

void BatchAssembly::fill(std::size_t row, const SampleReader& reader) {
  const auto item = items_[row];
  const auto& utterance = manifest_.utterances[static_cast<std::size_t>(item)];
  auto random = stream(item, Draw::kCrop);
  const auto placement =
      options_.training ? draw_placement(options_.video, random) : centre_placement(options_.video);
  try {
    read_row(row, placement, reader);
    if (options_.training) mask_times(row);
  } catch (const DataError& error) {
    rows_[row].outcome = Outcome::kSkipped;
    rows_[row].skipped = {.item = item,
                          .reason = error.reason(),
                          .message = with_origin(utterance, full_message(error))};
  } catch (const SystemError& error) {
    rows_[row].outcome = Outcome::kFailed;
    rows_[row].error = std::make_exception_ptr(SystemError(fmt::format(
        "'{}': {}", printable(utterance.id), with_origin(utterance, full_message(error)))));
  } catch (...) {
    rows_[row].outcome = Outcome::kFailed;
    rows_[row].error = std::current_exception();
  }
}

void BatchAssembly::mask_times(std::size_t row) {
  const auto item = items_[row];
  const auto frames = manifest_.utterances[static_cast<std::size_t>(item)].frames;
  auto random = stream(item, Draw::kTimeMask);
  const auto runs = [&](const LoaderOptions::TimeMask& mask, std::int64_t length) {
    return adaptive_time_masks(length, mask.window, mask.stride,
                               [&](std::int64_t n) { return random.below(n); });
  };
  if (options_.video_time_mask) rows_[row].masked_frames = runs(*options_.video_time_mask, frames);
  auto* audio = audio_row(row, num_frames_);
  if (!options_.audio_time_mask || audio == nullptr) return;
  for (const auto& run : runs(*options_.audio_time_mask, frames * media::kSamplesPerFrame))
    std::fill(audio + run.begin, audio + run.end, 0.0F);
}

torch::Tensor BatchAssembly::time_masks() const {
  auto masked = torch::zeros({std::ssize(items_), num_frames_},
                             torch::TensorOptions(torch::kBool).pinned_memory(options_.pin_memory));
  auto rows = masked.accessor<bool, 2>();
  std::int64_t b = 0;
  for (const auto& row : rows_) {
    if (row.outcome != Outcome::kGood) continue;
    for (const auto& run : row.masked_frames) {
      for (auto t = run.begin; t < run.end; ++t) rows[b][t] = true;
    }
    ++b;
  }
  return masked;
}

torch::Tensor BatchAssembly::labels() const {
  std::size_t longest_label = 0;
  const auto of = [&](std::int64_t item) -> const std::vector<std::int64_t>& {
    return manifest_.utterances[static_cast<std::size_t>(item)].labels;
  };
  for (const auto item : items_) longest_label = std::max(longest_label, of(item).size());
  auto padded = torch::full({std::ssize(items_), static_cast<std::int64_t>(longest_label)}, -1,
                            torch::TensorOptions(torch::kInt64).pinned_memory(options_.pin_memory));
  auto* row = padded.data_ptr<std::int64_t>();
  for (const auto item : items_) {
    std::copy(of(item).begin(), of(item).end(), row);
    row += longest_label;
  }
  return padded;
}

void BatchAssembly::keep_good_rows() {
  std::vector<std::size_t> good;
  std::vector<std::int64_t> items;
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    if (rows_[row].outcome == Outcome::kGood) {
      good.push_back(row);
      items.push_back(items_[row]);
    } else {
      skipped_.push_back(std::move(rows_[row].skipped));
    }
  }
  if (good.size() == rows_.size()) return;
  const auto old_frames = std::exchange(num_frames_, longest(manifest_, items));
  items_ = std::move(items);
  const auto video_bytes = num_frames_ * frame_bytes();
  const auto audio_bytes =
      num_frames_ * media::kSamplesPerFrame * static_cast<std::int64_t>(sizeof(float));
  for (std::size_t row = 0; row < good.size();
       ++row) {  // towards the start: nothing unread is overwritten
    if (options_.read_video) {
      std::memmove(video_row(row, num_frames_), video_row(good[row], old_frames),
                   static_cast<std::size_t>(video_bytes));
    }
    if (options_.read_audio) {
      std::memmove(audio_row(row, num_frames_), audio_row(good[row], old_frames),
                   static_cast<std::size_t>(audio_bytes));
    }
  }
}

torch::Tensor BatchAssembly::draw_masks(Draw draw) const {
  std::vector<std::int64_t> lengths;
  std::vector<Random> streams;
  for (const auto item : items_) {
    lengths.push_back(manifest_.utterances[static_cast<std::size_t>(item)].frames);
    streams.push_back(stream(item, draw));
  }
  const auto spans =
      draw == Draw::kVideoMask ? video_spans(*options_.mask) : audio_spans(*options_.mask);
  const auto masked = mask_rows(spans, lengths, num_frames_, streams);
  auto tensor = torch::empty({static_cast<std::int64_t>(items_.size()), num_frames_},
                             torch::TensorOptions(torch::kBool).pinned_memory(options_.pin_memory));
  std::transform(masked.begin(), masked.end(), tensor.data_ptr<bool>(),
                 [](std::uint8_t x) { return x != 0; });
  return tensor;
}

std::optional<Batch> BatchAssembly::finish() {
  for (const auto& row : rows_) {
    if (row.outcome == Outcome::kFailed) std::rethrow_exception(row.error);
  }
  keep_good_rows();
  if (items_.empty()) return std::nullopt;
  const auto count = static_cast<std::int64_t>(items_.size());
  const auto side = options_.video.crop;
  Batch batch;
  batch.epoch = position_.epoch;
  batch.index = position_.batch;
  if (options_.read_video)
    batch.video = view_of(memory_, memory_->video, {count, num_frames_, side, side});
  if (options_.read_audio)
    batch.audio = view_of(memory_, memory_->audio, {count, num_frames_ * media::kSamplesPerFrame});
  batch.lengths =
      torch::empty({count}, torch::TensorOptions(torch::kInt64).pinned_memory(options_.pin_memory));
  auto* lengths = batch.lengths.data_ptr<std::int64_t>();
  for (const auto item : items_) {
    const auto& utterance = manifest_.utterances[static_cast<std::size_t>(item)];
    batch.ids.push_back(utterance.id);
    *lengths++ = utterance.frames;
    batch.num_frames_of.push_back(utterance.frames);
    if (options_.labels) batch.num_labels_of.push_back(std::ssize(utterance.labels));
  }
  if (options_.mask) {
    batch.masked_video = draw_masks(Draw::kVideoMask);
    batch.masked_audio = draw_masks(Draw::kAudioMask);
  }
  if (options_.video_time_mask && options_.training) batch.masked_video = time_masks();
  if (options_.labels) batch.labels = labels();
  memory_.reset();
  return batch;
}

}  // namespace raven::data
