#include "data/batch_assembly.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/utf8.h"
#include "raven/data/batching.h"
#include "raven/data/span_mask.h"
#include "raven/media/media.h"

namespace raven::data {
namespace {

/// A message that names a file alone says which line asked for it.
std::string with_origin(const Utterance& utterance, const std::string& message) {
  const auto place = utterance.origin.text();
  return place.empty() || message.starts_with(place) ? message : place + ": " + message;
}

}  // namespace

BatchAssembly::BatchAssembly(const Manifest& manifest, const LoaderOptions& options,
                             const LoaderPosition& position, std::vector<std::int64_t> items,
                             const std::vector<std::int64_t>& sizes,
                             std::shared_ptr<BatchMemory> memory)
    : manifest_(manifest),
      options_(options),
      position_(position),
      items_(std::move(items)),
      memory_(std::move(memory)),
      rows_(items_.size()),
      frames_beside_(std::make_unique<std::atomic<std::int64_t>>(0)) {
  for (const auto item : items_)
    num_frames_ = std::max(num_frames_, sizes[static_cast<std::size_t>(item)]);
}

const Utterance& BatchAssembly::utterance_of(std::size_t row) const {
  return manifest_.utterances[static_cast<std::size_t>(items_[row])];
}

Modalities BatchAssembly::wanted() const {
  return {.video = options_.read_video, .audio = options_.read_audio};
}

std::int64_t BatchAssembly::max_clip_frames() const {
  return options_.max_clip_frames > 0 ? options_.max_clip_frames : options_.max_frames;
}

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
  return num_views(options_) * options_.video.crop * options_.video.crop *
         memory_->video.element_size();
}

// Null for a modality that is not read.
std::byte* BatchAssembly::video_row(BatchMemory& memory, std::size_t row,
                                    std::int64_t num_frames) const {
  if (!options_.read_video) return nullptr;
  return static_cast<std::byte*>(memory.video.data_ptr()) +
         static_cast<std::int64_t>(row) * num_frames * frame_bytes();
}

float* BatchAssembly::audio_row(BatchMemory& memory, std::size_t row,
                                std::int64_t num_frames) const {
  if (!options_.read_audio) return nullptr;
  return memory.audio.data_ptr<float>() +
         static_cast<std::int64_t>(row) * num_frames * media::kSamplesPerFrame;
}

void BatchAssembly::fill(std::size_t row, const SampleReader& reader) {
  const auto& utterance = utterance_of(row);
  try {
    if (reader.decides_length(utterance, wanted())) {
      fill_whole(row, reader);
    } else {
      fill_as_listed(row, reader);
    }
  } catch (const DataError& error) {
    skip(row, error);
  } catch (const SystemError& error) {
    rows_[row].outcome = Outcome::kFailed;
    rows_[row].error = std::make_exception_ptr(SystemError(fmt::format(
        "'{}': {}", printable(utterance.id), with_origin(utterance, full_message(error)))));
  } catch (...) {
    rows_[row].outcome = Outcome::kFailed;
    rows_[row].error = std::current_exception();
  }
}

void BatchAssembly::skip(std::size_t row, const DataError& error) {
  rows_[row].outcome = Outcome::kSkipped;
  rows_[row].skipped = {.item = items_[row],
                        .reason = error.reason(),
                        .message = with_origin(utterance_of(row), full_message(error))};
}

std::vector<Placement> BatchAssembly::views_of(std::size_t row) const {
  if (!options_.training) return {centre_placement(options_.video)};
  const auto drawn = [&](Draw draw) {
    auto random = stream(items_[row], draw);
    return draw_placement(options_.video, random);
  };
  if (num_views(options_) == 1) return {drawn(Draw::kCrop)};
  return {drawn(Draw::kCrop), drawn(Draw::kTeacherCrop)};
}

void BatchAssembly::fill_as_listed(std::size_t row, const SampleReader& reader) {
  const auto& utterance = utterance_of(row);
  const auto views = views_of(row);
  auto noise = noise_stream(items_[row]);
  auto* audio = audio_row(*memory_, row, num_frames_);
  auto* video = video_row(*memory_, row, num_frames_);
  if (memory_->video.scalar_type() == torch::kFloat32) {
    reader.read_levels(utterance, views, reinterpret_cast<float*>(video), audio, &noise);
  } else {
    reader.read(utterance, views, reinterpret_cast<std::uint8_t*>(video), audio, &noise);
  }
  rows_[row].frames = utterance.frames;
  pad(*memory_, row, utterance.frames, num_frames_);
  if (options_.training) mask_times(row, audio);
}

WholeClip BatchAssembly::read_whole(std::size_t row, std::int64_t max_frames,
                                    const SampleReader& reader) {
  auto noise = noise_stream(items_[row]);
  auto clip = reader.read_whole(utterance_of(row), views_of(row), wanted(), max_frames, &noise);
  rows_[row].frames = clip.frames;
  if (options_.training) mask_times(row, options_.read_audio ? clip.audio.data() : nullptr);
  return clip;
}

void BatchAssembly::fill_whole(std::size_t row, const SampleReader& reader) {
  auto& one = rows_[row];
  WholeClip clip;
  try {
    clip = read_whole(row, std::min(options_.max_frames, max_clip_frames()), reader);
  } catch (const DataError& error) {
    if (error.reason() != "too-long" || max_clip_frames() <= options_.max_frames) throw;
    one.place = Place::kNowhere;
    return;
  }
  if (clip.frames <= num_frames_) {
    put(clip, *memory_, row, num_frames_);
  } else if (frames_beside_->fetch_add(clip.frames) + clip.frames <= options_.max_frames) {
    one.place = Place::kBeside;
    one.beside = std::move(clip);
  } else {
    one.place = Place::kNowhere;
  }
}

void BatchAssembly::put(const WholeClip& clip, BatchMemory& memory, std::size_t row,
                        std::int64_t num_frames) const {
  if (auto* video = video_row(memory, row, num_frames)) {
    std::ranges::copy(std::as_bytes(std::span(clip.video)), video);
    std::ranges::copy(std::as_bytes(std::span(clip.levels)), video);  // one of the two is empty
  }
  if (auto* audio = audio_row(memory, row, num_frames)) std::ranges::copy(clip.audio, audio);
  pad(memory, row, clip.frames, num_frames);
}

void BatchAssembly::pad(BatchMemory& memory, std::size_t row, std::int64_t from,
                        std::int64_t num_frames) const {
  const auto missing = num_frames - from;
  if (auto* video = video_row(memory, row, num_frames)) {
    std::memset(video + from * frame_bytes(), 0, static_cast<std::size_t>(missing * frame_bytes()));
  }
  if (auto* audio = audio_row(memory, row, num_frames)) {
    std::fill_n(audio + from * media::kSamplesPerFrame, missing * media::kSamplesPerFrame, 0.0F);
  }
}

/// Of a row whose length is known.
void BatchAssembly::mask_times(std::size_t row, float* audio) {
  const auto frames = rows_[row].frames;
  auto random = stream(items_[row], Draw::kTimeMask);
  const auto runs = [&](const LoaderOptions::TimeMask& mask, std::int64_t length) {
    return adaptive_time_masks(length, mask.window, mask.stride,
                               [&](std::int64_t n) { return random.below(n); });
  };
  if (options_.video_time_mask) rows_[row].masked_frames = runs(*options_.video_time_mask, frames);
  if (!options_.audio_time_mask || audio == nullptr) return;
  for (const auto& run : runs(*options_.audio_time_mask, frames * media::kSamplesPerFrame))
    std::fill(audio + run.begin, audio + run.end, 0.0F);
}

torch::Tensor BatchAssembly::time_masks(const Rows& rows, std::int64_t num_frames) const {
  auto masked = torch::zeros({std::ssize(rows), num_frames},
                             torch::TensorOptions(torch::kBool).pinned_memory(options_.pin_memory));
  auto of_row = masked.accessor<bool, 2>();
  std::int64_t b = 0;
  for (const auto row : rows) {
    for (const auto& run : rows_[row].masked_frames) {
      for (auto t = run.begin; t < run.end; ++t) of_row[b][t] = true;
    }
    ++b;
  }
  return masked;
}

torch::Tensor BatchAssembly::labels(const Rows& rows) const {
  std::size_t longest_label = 0;
  for (const auto row : rows)
    longest_label = std::max(longest_label, utterance_of(row).labels.size());
  auto padded = torch::full({std::ssize(rows), static_cast<std::int64_t>(longest_label)}, -1,
                            torch::TensorOptions(torch::kInt64).pinned_memory(options_.pin_memory));
  auto* of_row = padded.data_ptr<std::int64_t>();
  for (const auto row : rows) {
    std::ranges::copy(utterance_of(row).labels, of_row);
    of_row += longest_label;
  }
  return padded;
}

torch::Tensor BatchAssembly::draw_masks(const Rows& rows, std::int64_t num_frames,
                                        Draw draw) const {
  std::vector<std::int64_t> lengths;
  std::vector<Random> streams;
  for (const auto row : rows) {
    lengths.push_back(rows_[row].frames);
    streams.push_back(stream(items_[row], draw));
  }
  const auto spans =
      draw == Draw::kVideoMask ? video_spans(*options_.mask) : audio_spans(*options_.mask);
  const auto masked = mask_rows(spans, lengths, num_frames, streams);
  auto tensor = torch::empty({std::ssize(rows), num_frames},
                             torch::TensorOptions(torch::kBool).pinned_memory(options_.pin_memory));
  std::transform(masked.begin(), masked.end(), tensor.data_ptr<bool>(),
                 [](std::uint8_t x) { return x != 0; });
  return tensor;
}

std::int64_t BatchAssembly::longest(const Rows& rows) const {
  std::int64_t frames = 0;
  for (const auto row : rows) frames = std::max(frames, rows_[row].frames);
  return frames;
}

/// Good rows, in order.
BatchAssembly::Rows BatchAssembly::good_rows() const {
  Rows good;
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    if (rows_[row].outcome == Outcome::kGood) good.push_back(row);
  }
  return good;
}

/// All of them, or as many as max_frames holds.
BatchAssembly::Rows BatchAssembly::with_room(const Rows& rows) const {
  std::vector<std::int64_t> sizes;
  for (const auto row : rows) sizes.push_back(rows_[row].frames);
  Random random(options_.seed, static_cast<std::uint64_t>(position_.epoch),
                static_cast<std::uint64_t>(position_.batch), Draw::kLeftOut);
  Rows chosen;
  for (const auto k : draw_within(sizes, options_.max_frames, random))
    chosen.push_back(rows[static_cast<std::size_t>(k)]);
  return chosen;
}

/// In order, each within max_frames; a clip that is longer is one by itself.
std::vector<BatchAssembly::Rows> BatchAssembly::parts_of(const Rows& rows) const {
  std::vector<Rows> parts;
  Rows together;
  const auto part = [&] {
    std::vector<std::int64_t> sizes;
    for (const auto row : together) sizes.push_back(rows_[row].frames);
    for (const auto& batch : pack_in_order(sizes, options_.max_frames)) {
      auto& next = parts.emplace_back();
      for (const auto k : batch) next.push_back(together[static_cast<std::size_t>(k)]);
    }
    together.clear();
  };
  for (const auto row : rows) {
    if (rows_[row].frames > 0) {
      together.push_back(row);
    } else {
      part();
      parts.push_back({row});
    }
  }
  part();
  return parts;
}

/// Moves rows that lie in memory_ to its start, each as long as the longest.
void BatchAssembly::close_up(const Rows& rows, std::int64_t num_frames) {
  if (rows.size() == rows_.size() && num_frames == num_frames_) return;
  const auto video_bytes = num_frames * frame_bytes();
  const auto audio_bytes =
      num_frames * media::kSamplesPerFrame * static_cast<std::int64_t>(sizeof(float));
  for (std::size_t k = 0; k < rows.size(); ++k) {  // nothing unread is overwritten
    if (options_.read_video) {
      std::memmove(video_row(*memory_, k, num_frames), video_row(*memory_, rows[k], num_frames_),
                   static_cast<std::size_t>(video_bytes));
    }
    if (options_.read_audio) {
      std::memmove(audio_row(*memory_, k, num_frames), audio_row(*memory_, rows[k], num_frames_),
                   static_cast<std::size_t>(audio_bytes));
    }
  }
}

/// Rows from wherever they are, in memory of their own.
std::shared_ptr<BatchMemory> BatchAssembly::gather(const Rows& rows, std::int64_t num_frames) {
  const auto padded = std::ssize(rows) * num_frames;
  const auto options = torch::TensorOptions().pinned_memory(options_.pin_memory);
  const auto frame_pixels = frame_bytes() / memory_->video.element_size();
  auto memory = std::make_shared<BatchMemory>();
  memory->video = torch::empty({options_.read_video ? padded * frame_pixels : 0},
                               options.dtype(memory_->video.dtype()));
  memory->audio = torch::empty({options_.read_audio ? padded * media::kSamplesPerFrame : 0},
                               options.dtype(torch::kFloat32));
  for (std::size_t k = 0; k < rows.size(); ++k) {
    auto& row = rows_[rows[k]];
    if (row.place == Place::kBeside) {
      put(std::exchange(row.beside, {}), *memory, k, num_frames);
      continue;
    }
    if (const auto* from = video_row(*memory_, rows[k], num_frames_))
      std::copy_n(from, row.frames * frame_bytes(), video_row(*memory, k, num_frames));
    if (const auto* from = audio_row(*memory_, rows[k], num_frames_))
      std::copy_n(from, row.frames * media::kSamplesPerFrame, audio_row(*memory, k, num_frames));
    pad(*memory, k, row.frames, num_frames);
  }
  return memory;
}

/// Reads again what there was no room for.
BatchAssembly::Rows BatchAssembly::fetched(const Rows& rows, const SampleReader& reader) {
  Rows there;
  for (const auto row : rows) {
    try {
      if (rows_[row].place == Place::kNowhere) {
        rows_[row].beside = read_whole(row, max_clip_frames(), reader);
        rows_[row].place = Place::kBeside;
      }
      there.push_back(row);
    } catch (const DataError& error) {
      skip(row, error);
    }
  }
  return there;
}

Batch BatchAssembly::batch_of(const Rows& rows, const std::shared_ptr<BatchMemory>& memory,
                              std::int64_t num_frames) const {
  const auto count = std::ssize(rows);
  const auto side = options_.video.crop;
  Batch batch;
  batch.epoch = position_.epoch;
  batch.index = position_.batch;
  if (options_.read_video) {
    const auto views = num_views(options_);
    const auto video = view_of(memory, memory->video, {count, num_frames, views, side, side});
    batch.video = video.select(2, 0);
    if (views > 1) {  // each dense in such memory, so that no copy to a device has to wait
      const auto dense = [&](const torch::Tensor& view) {
        const auto options = video.options().pinned_memory(options_.pin_memory);
        return torch::empty(view.sizes(), options).copy_(view);
      };
      batch.teacher_video = dense(video.select(2, 1));
      batch.video = dense(batch.video);
    }
  }
  if (options_.read_audio)
    batch.audio = view_of(memory, memory->audio, {count, num_frames * media::kSamplesPerFrame});
  batch.lengths =
      torch::empty({count}, torch::TensorOptions(torch::kInt64).pinned_memory(options_.pin_memory));
  auto* lengths = batch.lengths.data_ptr<std::int64_t>();
  for (const auto row : rows) {
    const auto& utterance = utterance_of(row);
    batch.ids.push_back(utterance.id);
    *lengths++ = rows_[row].frames;
    batch.num_frames_of.push_back(rows_[row].frames);
    if (options_.labels) batch.num_labels_of.push_back(std::ssize(utterance.labels));
  }
  if (options_.mask) {
    batch.masked_video = draw_masks(rows, num_frames, Draw::kVideoMask);
    batch.masked_audio = options_.mask->draw == config::MaskDraw::kShared
                             ? batch.masked_video
                             : draw_masks(rows, num_frames, Draw::kAudioMask);
  }
  if (options_.video_time_mask && options_.training)
    batch.masked_video = time_masks(rows, num_frames);
  if (options_.labels) batch.labels = labels(rows);
  return batch;
}

std::vector<Batch> BatchAssembly::finish(const SampleReader& reader) {
  for (const auto& row : rows_) {
    if (row.outcome == Outcome::kFailed) std::rethrow_exception(row.error);
  }
  const auto good = good_rows();
  auto parts = options_.split_long_batches ? parts_of(good) : std::vector<Rows>{with_room(good)};
  std::vector<Batch> batches;
  for (auto& part : parts) {
    if (!options_.split_long_batches) num_left_out_ = std::ssize(good) - std::ssize(part);
    part = fetched(part, reader);
    if (part.empty()) continue;
    const auto frames = longest(part);
    const bool in_place = parts.size() == 1 && std::ranges::all_of(part, [&](std::size_t row) {
                            return rows_[row].place == Place::kInRow;
                          });
    if (in_place) close_up(part, frames);
    batches.push_back(batch_of(part, in_place ? memory_ : gather(part, frames), frames));
  }
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    auto& one = rows_[row];
    if (one.outcome == Outcome::kSkipped) skipped_.push_back(std::move(one.skipped));
    if (one.outcome != Outcome::kGood || !utterance_of(row).length_is_approximate) continue;
    if (one.frames > 0 && one.frames != utterance_of(row).frames)
      other_lengths_.push_back({.item = items_[row], .frames = one.frames});
  }
  memory_.reset();
  return batches;
}

}  // namespace raven::data
