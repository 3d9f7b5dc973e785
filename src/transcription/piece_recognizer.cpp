#include "raven/transcription/piece_recognizer.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <optional>

#include "raven/config/evaluate_config.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/utf8.h"
#include "raven/data/transforms.h"
#include "raven/decode/ctc_alignment.h"
#include "raven/decode/decode.h"
#include "raven/models/batch_input.h"
#include "raven/nn/linear.h"

namespace raven::transcription {
namespace {

using config::Modality;

constexpr std::int64_t kCropBytes = data::kStoredSide * data::kStoredSide;

std::string identity_of(const evaluation::LoadedRecognizer& loaded,
                        const config::DecodeConfig& decode, const torch::Device& device) {
  std::string text = loaded.checksum + "\n" + loaded.units.text();
  for (const auto& [key, value] : loaded.settings.to_metadata(weights::ModelKind::kRecognizer))
    text += key + "=" + value + "\n";
  config::EvaluateConfig search;
  search.decode = decode;
  for (const auto& [key, value] : config::flatten(search))
    if (key.starts_with("decode.") && key != "decode.lm") text += key + "=" + value + "\n";
  text += loaded.language_model.checksum + (device.is_cuda() ? " cuda" : " cpu");
  return checksum_text(checksum(text));
}

void check_samples(const std::vector<float>& samples, const std::string& file) {
  if (std::ranges::all_of(samples, [](float sample) { return std::isfinite(sample); })) return;
  throw DataError(fmt::format("{}: holds samples that are not finite", file), "corrupt");
}

}  // namespace

struct PieceRecognizer::State {
  [[nodiscard]] torch::Tensor input(const MediaPiece& piece, const std::string& file) const;
  [[nodiscard]] torch::Tensor heard(const MediaPiece& piece, const std::string& file) const;
  [[nodiscard]] torch::Tensor seen(const MediaPiece& piece) const;

  evaluation::LoadedRecognizer loaded;
  std::string name;
  config::DecodeConfig decode;
  corpus::Grey grey;
  torch::Device device;
  std::string identity;
  decode::SearchLanguageModel language_model;
  std::optional<nn::PackedWeights> packed, packed_language_model;  // before `loaded` goes
  std::mutex mutex;                                                // of the networks
};

torch::Tensor PieceRecognizer::State::heard(const MediaPiece& piece,
                                            const std::string& file) const {
  check_samples(piece.samples, file);
  auto samples = piece.samples;
  if (loaded.settings.waveform == config::Waveform::kClip) data::normalise_waveform(samples);
  return torch::tensor(samples).unsqueeze(0);  // (1, N)
}

torch::Tensor PieceRecognizer::State::seen(const MediaPiece& piece) const {
  const auto& video = loaded.settings.video;
  const data::FrameCutter cutter(video, data::centre_placement(video));
  const auto frames = std::ssize(piece.crops) / kCropBytes, side = cutter.side();
  auto pixels = torch::empty({1, frames, side, side}, torch::kUInt8);
  auto* out = pixels.data_ptr<std::uint8_t>();
  for (std::int64_t t = 0; t < frames; ++t)
    cutter.cut(piece.crops.data() + t * kCropBytes, data::kStoredSide, out + t * side * side);
  return pixels;
}

/// As a batch of one, so that it is the same as in training and evaluation.
torch::Tensor PieceRecognizer::State::input(const MediaPiece& piece,
                                            const std::string& file) const {
  const auto modality = loaded.settings.modality;
  data::Batch batch{.ids = {file}};
  std::int64_t frames = 0;
  if (modality == Modality::kAudio) {
    batch.audio = heard(piece, file);
    frames = batch.audio.size(1) / media::kSamplesPerFrame;
  } else {
    batch.video = seen(piece);
    frames = batch.video.size(1);
  }
  batch.lengths = torch::tensor({frames}, torch::kInt64);
  batch.num_frames_of = {frames};
  return models::encoder_input(batch.to(device), modality);
}

PieceRecognizer::PieceRecognizer(evaluation::LoadedRecognizer loaded, std::string name,
                                 const config::DecodeConfig& decode, corpus::Grey grey,
                                 const torch::Device& device) {
  auto identity = identity_of(loaded, decode, device);
  auto language_model = loaded.language_model.for_search(loaded.units);
  state_.reset(new State{.loaded = std::move(loaded),
                         .name = std::move(name),
                         .decode = decode,
                         .grey = grey,
                         .device = device,
                         .identity = std::move(identity),
                         .language_model = std::move(language_model)});
  auto& models = state_->loaded;
  models.recognizer->to(device);
  models.recognizer->eval();
  auto& transformer = models.language_model.model;
  if (!transformer.is_empty()) transformer->to(device);
  if (decode::uses_decoder(decode)) state_->packed.emplace(*models.recognizer->decoder);
  if (!transformer.is_empty()) state_->packed_language_model.emplace(*transformer);
}
PieceRecognizer::~PieceRecognizer() = default;
PieceRecognizer::PieceRecognizer(PieceRecognizer&&) noexcept = default;

Modality PieceRecognizer::modality() const { return state_->loaded.settings.modality; }
corpus::Grey PieceRecognizer::grey() const { return state_->grey; }
const std::string& PieceRecognizer::name() const { return state_->name; }
const std::string& PieceRecognizer::identity() const { return state_->identity; }

Passage PieceRecognizer::recognise(const MediaPiece& piece, const std::string& file) {
  const auto begin_s = media::seconds(piece.cut.begin);
  Passage passage{.begin_s = begin_s, .end_s = media::seconds(piece.cut.end)};
  if (modality() == Modality::kAudio ? piece.samples.empty() : piece.crops.empty()) return passage;
  const std::lock_guard lock(state_->mutex);
  const torch::NoGradGuard no_grad;
  auto& recognizer = state_->loaded.recognizer;
  const auto frames = recognizer->encode(state_->input(piece, file));  // (1, T, D)
  const auto found = decode::decode(recognizer, {.frames = frames, .valid = {}, .ids = {file}},
                                    state_->decode, state_->language_model);
  if (found.front().empty()) return passage;
  const auto& best = found.front().front();
  passage.score = best.score;
  const auto log_probs = recognizer->ctc(frames.to(torch::kFloat32))[0];  // (T, V)
  for (auto& word :
       decode::word_spans(log_probs, best.units, state_->loaded.units, file, piece.cut.silent)) {
    passage.words.push_back({.text = std::move(word.word),
                             .begin_s = begin_s + word.begin / media::kFrameRateHz,
                             .end_s = begin_s + word.end / media::kFrameRateHz,
                             .confidence = word.confidence});
  }
  return passage;
}

}  // namespace raven::transcription
