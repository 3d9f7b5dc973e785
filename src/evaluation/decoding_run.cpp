#include "raven/evaluation/decoding_run.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <set>
#include <utility>

#include "evaluation/alignment_picture.h"
#include "evaluation/decoded_file.h"
#include "evaluation/new_folder.h"
#include "evaluation/utterance_groups.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/folder_lock.h"
#include "raven/core/log.h"
#include "raven/core/processors.h"
#include "raven/core/utf8.h"
#include "raven/data/batching.h"
#include "raven/data/labels.h"
#include "raven/data/sample_reader.h"
#include "raven/decode/decode.h"
#include "raven/media/image_writer.h"
#include "raven/models/batch_input.h"
#include "raven/nn/linear.h"

namespace raven::evaluation {
namespace {

namespace fs = std::filesystem;
using config::EvaluateConfig;

constexpr const char* kDecoded = "decoded.jsonl";
constexpr const char* kAttention = "attention.json";
constexpr const char* kWorstPictures = "worst";
constexpr const char* kRecognised = "recognised.tsv";
constexpr const char* kNbest = "nbest.jsonl";
constexpr std::int64_t kPicturedFrames = 12;
constexpr std::size_t kAttentionPictures = 6;  // as many as a report shows unfolded

/// What was decoded before a failure stays, for the same call to go on with.
class KeepsProgress {
 public:
  KeepsProgress(NewFolder& folder, const DecodedFile& decoded)
      : folder_(folder), decoded_(decoded) {}
  ~KeepsProgress() {
    if (!decoded_.done().empty()) folder_.keep();
  }
  KeepsProgress(const KeepsProgress&) = delete;
  KeepsProgress& operator=(const KeepsProgress&) = delete;

 private:
  NewFolder& folder_;
  const DecodedFile& decoded_;
};

std::string checksum_of(const std::string& text) { return checksum_text(checksum(text)); }

std::string noise_identity(const EvaluationSet& set, const config::NoiseLevelsConfig& noise) {
  if (!set.snr_db) return "none";
  auto text = fmt::format("{} {} {}", config::enum_name(noise.kind), *set.snr_db, noise.seed);
  return set.noise_source.empty() ? text : text + " " + set.noise_source;
}

/// Settings that hypotheses follow from; the number of threads and where results go are none.
std::map<std::string, std::string> search_settings(const EvaluateConfig& config) {
  std::map<std::string, std::string> settings;
  for (const auto& [key, value] : config::flatten(config)) {
    // A language model counts by its content; what an earlier raven decoded has no such list.
    const bool left_out = key == "decode.lm" || (key == "decode.nbest" && value == "0");
    if ((key.starts_with("decode.") && !left_out) || key == "data.max_frames")
      settings.emplace(key, value);
  }
  return settings;
}

DecodedFile::Identity identity(const LoadedRecognizer& loaded, const EvaluationSet& set,
                               const EvaluateConfig& config, const torch::Device& device) {
  std::string shape = loaded.units.text();
  for (const auto& [key, value] : loaded.settings.to_metadata(weights::ModelKind::kRecognizer))
    shape += key + "=" + value + "\n";
  auto settings = search_settings(config);
  std::string search;
  for (const auto& [key, value] : settings) search += key + "=" + value + "\n";
  DecodedFile::Identity identity = {
      .parts =
          {
              {"recognizer", loaded.checksum + " " + checksum_of(shape)},
              {"list of utterances", content_checksum(set.manifest)},
              {"noise", noise_identity(set, config.noise)},
              {DecodedFile::kSearch, checksum_of(search)},
              {"device", device.is_cuda() ? "cuda" : "cpu"},
          },
      .settings = std::move(settings)};
  if (!loaded.language_model.empty())
    identity.parts["language model"] = loaded.language_model.checksum;
  return identity;
}

DecodedWith decoded_with(const LoadedRecognizer& loaded, const EvaluateConfig& config) {
  const auto number = [&](const char* key) -> std::optional<std::int64_t> {
    const auto found = loaded.metadata.find(key);
    if (found == loaded.metadata.end()) return std::nullopt;
    return std::strtoll(found->second.c_str(), nullptr, 10);
  };
  const auto best = loaded.metadata.find(weights::kBestBy);
  return {.weights = loaded.file.string(),
          .checksum = loaded.checksum,
          .step = number(weights::kStep),
          .steps = number(weights::kSteps),
          .averaged = number(weights::kAveraged),
          .best_by = best == loaded.metadata.end() ? "" : best->second,
          .search = config::flatten(config.decode, "decode.")};
}

/// What scores follow from beside the hypotheses.
std::string scoring_identity(const std::vector<UtteranceResult>& results,
                             const config::ScoringConfig& scoring) {
  std::string text = fmt::format("{} {}\n", scoring.bootstrap, scoring.seed);
  for (const auto& result : results)
    text += fmt::format("{}\t{}\t{}\n", result.id, result.speaker, result.reference);
  return checksum_of(text);
}

/// Reads utterances as a recognizer hears or sees them, and encodes each alone, without padding.
class UtteranceEncoder {
 public:
  UtteranceEncoder(LoadedRecognizer& loaded, const EvaluationSet& set, const EvaluateConfig& config,
                   const torch::Device& device)
      : loaded_(loaded), set_(set), config_(config), device_(device) {}

  /// frames (1, T, D).
  using See = std::function<void(const std::string& id, const torch::Tensor& frames)>;

  /// Calls `see` for the readable ones of `utterances`, in their order, and adds the others to
  /// `skips`. False when `stop` was asked for before the end.
  bool encode(std::vector<data::Utterance> utterances, const std::stop_token& stop, const See& see,
              const std::shared_ptr<data::SkipRecord>& skips) {
    const data::Manifest manifest{.file = set_.manifest.file, .utterances = std::move(utterances)};
    auto options = input_options(loaded_.settings, manifest, config_.noise.seed);
    options.workers = num_readers(config_.data.workers, /*most=*/2);
    options.max_skipped = config_.data.max_skipped;
    options.noise = set_.noise;
    options.skips = skips;
    options.lengths = lengths_;
    const auto modality = loaded_.recognizer->options().modality;
    return read_each(manifest, options, device_, stop, [&](const data::Batch& one) {
      see(one.ids.front(), loaded_.recognizer->encode(models::encoder_input(one, modality)));
    });
  }

 private:
  LoadedRecognizer& loaded_;
  const EvaluationSet& set_;
  const EvaluateConfig& config_;
  torch::Device device_;
  std::shared_ptr<data::LengthRecord> lengths_ = std::make_shared<data::LengthRecord>();
};

/// Encoded utterances until they are searched.
struct SearchGroup {
  std::vector<std::string> ids;
  std::vector<torch::Tensor> frames;  // (1, T, D) each

  /// Where clips are longer than listed, in parts that each keep to `max_frames`.
  [[nodiscard]] std::vector<SearchGroup> within(std::int64_t max_frames) const;
  /// The best hypothesis of each.
  std::vector<std::pair<std::string, Decoded>> search(
      LoadedRecognizer& loaded, const decode::SearchLanguageModel& language_model,
      const config::DecodeConfig& config) const;
};

std::vector<SearchGroup> SearchGroup::within(std::int64_t max_frames) const {
  std::vector<std::int64_t> sizes;
  for (const auto& one : frames) sizes.push_back(std::min(one.size(1), max_frames));
  std::vector<SearchGroup> parts;
  for (const auto& part : data::pack_in_order(sizes, max_frames)) {
    auto& next = parts.emplace_back();
    for (const auto i : part) {
      next.ids.push_back(ids[static_cast<std::size_t>(i)]);
      next.frames.push_back(frames[static_cast<std::size_t>(i)]);
    }
  }
  return parts;
}

std::vector<std::pair<std::string, Decoded>> SearchGroup::search(
    LoadedRecognizer& loaded, const decode::SearchLanguageModel& language_model,
    const config::DecodeConfig& config) const {
  std::vector<std::pair<std::string, Decoded>> found;
  const auto padded = pad_frames(frames);
  const auto hypotheses = decode::decode(
      loaded.recognizer, {.frames = padded.frames, .valid = padded.valid, .ids = ids}, config,
      language_model);
  const bool both = decode::uses_decoder(config) && decode::uses_ctc(config);
  std::vector<decode::Hypothesis> paths;
  if (config.nbest > 0 && both) {
    paths = decode::greedy_ctc(loaded.recognizer->ctc(padded.frames.to(torch::kFloat32)),
                               padded.valid, ids);
  }
  for (std::size_t b = 0; b < ids.size(); ++b) {
    Decoded decoded;
    if (!hypotheses[b].empty()) {
      const auto& best = hypotheses[b].front();
      decoded = {.hypothesis = loaded.units.detokenise(best.units),
                 .score = best.score,
                 .units = best.units};
      for (const auto& one : hypotheses[b]) {
        if (std::ssize(decoded.nbest) == config.nbest) break;
        decoded.nbest.push_back(alternative(one, loaded.units));
      }
    }
    if (!paths.empty()) decoded.ctc = paths[b].units;
    decoded.frames = frames[b].size(1);
    found.emplace_back(ids[b], std::move(decoded));
  }
  return found;
}

/// Decodes this rank's groups of what is missing. False when `stop` was asked for before the end.
bool decode_groups(LoadedRecognizer& loaded, const EvaluationSet& set, const EvaluateConfig& config,
                   UtteranceGroups groups, UtteranceEncoder& encoder, const std::stop_token& stop,
                   const DecodingProgress& progress, DecodedFile& decoded,
                   const std::shared_ptr<data::SkipRecord>& skips) {
  std::map<std::string, std::int64_t> frames_of;
  std::set<std::string> of_own_length;
  std::int64_t frames_left = 0;
  for (const auto& utterance : groups.utterances) {
    frames_of[utterance.id] = utterance.frames;
    if (utterance.length_is_approximate || loaded.settings.hears_whole_sound())
      of_own_length.insert(utterance.id);
    frames_left += utterance.frames;
  }
  // Of all ranks, as far as this one has come.
  const auto total = set.manifest.total_frames();
  std::int64_t frames_kept = 0;
  for (const auto& utterance : set.manifest.utterances) {
    if (decoded.done().contains(utterance.id)) frames_kept += utterance.frames;
  }
  const auto all_left = total - frames_kept;
  std::int64_t frames_done = 0;
  const auto tell = [&](std::int64_t frames) {
    frames_done += frames;
    const double share = static_cast<double>(frames_done) /
                         static_cast<double>(std::max<std::int64_t>(frames_left, 1));
    progress(frames_kept + std::llround(share * static_cast<double>(all_left)), total);
  };
  std::optional<nn::PackedWeights> packed, packed_language_model;
  if (decode::uses_decoder(config.decode)) packed.emplace(*loaded.recognizer->decoder);
  auto& transformer = loaded.language_model.model;
  if (!transformer.is_empty()) packed_language_model.emplace(*transformer);
  const auto language_model = loaded.language_model.for_search(loaded.units);
  SearchGroup group;
  const auto search = [&] {
    for (const auto& part : group.within(config.data.max_frames)) {
      for (auto& [id, one] : part.search(loaded, language_model, config.decode)) {
        if (!of_own_length.contains(id)) one.frames = 0;
        decoded.add(id, std::move(one));
        tell(frames_of.at(id));
      }
    }
    group = {};
  };
  const auto see = [&](const std::string& id, const torch::Tensor& frames) {
    if (!group.ids.empty() && groups.group_of.at(group.ids.front()) != groups.group_of.at(id))
      search();
    group.ids.push_back(id);
    group.frames.push_back(frames);
  };
  if (!encoder.encode(std::move(groups.utterances), stop, see, skips)) return false;
  search();
  return true;
}

/// What one rank was to decode must not be lost on the way to rank 0.
void check_none_is_missing(const EvaluationSet& set, const DecodedFile& decoded,
                           const data::SkipRecord& skips) {
  for (const auto& utterance : set.manifest.utterances) {
    if (decoded.done().contains(utterance.id) || skips.ids.contains(utterance.id)) continue;
    throw Error(fmt::format(
        "{}: the rank that was to decode '{}' has left nothing of it; do all ranks see this "
        "folder? The same command goes on",
        decoded.path().string(), printable(utterance.id)));
  }
}

/// Decodes what `decoded`, rank 0's, lacks; the others' is a part of it that is empty. False when a
/// rank was asked to stop before the end.
bool decode_missing(LoadedRecognizer& loaded, const EvaluationSet& set,
                    const EvaluateConfig& config, UtteranceEncoder& encoder,
                    const std::stop_token& stop, const DecodingProgress& progress,
                    DecodedFile& decoded, const std::shared_ptr<data::SkipRecord>& skips,
                    distributed::Communicator& ranks) {
  auto groups = dealt_groups(
      set.manifest, config.data.max_frames,
      [&](const auto& id) { return decoded.done().contains(id); }, ranks);
  if (!decoded.done().empty()) {
    log::info("{}: goes on after {} utterances", decoded.path().parent_path().string(),
              decoded.done().size());
  }
  ranks.note(0, "decoding", /*long_work=*/true);
  const bool whole = decode_groups(loaded, set, config, std::move(groups), encoder, stop, progress,
                                   decoded, skips);
  // Rank 0 may read a part on another host; where it has failed, it may have removed the folder.
  if (fs::exists(decoded.path())) flush_to_disk(decoded.path());
  const bool stopped = ranks.any(!whole);
  if (ranks.rank() == 0) decoded.take_over_parts();
  if (stopped) return false;
  gather_skips(*skips, set.manifest, config.data.max_frames, config.data.max_skipped, ranks);
  if (ranks.rank() == 0) check_none_is_missing(set, decoded, *skips);
  return true;
}

/// What the utterances say, in the list's order; the hypotheses are empty.
std::vector<UtteranceResult> references_of(const EvaluationSet& set, const text::Units& units) {
  std::vector<UtteranceResult> results;
  for (const auto& utterance : set.manifest.utterances) {
    results.push_back({.id = utterance.id,
                       .speaker = utterance.speaker,
                       .frames = utterance.frames,
                       .snr_db = set.snr_db,
                       .reference = data::reference_text(utterance, units),
                       .hypothesis = {}});
  }
  return results;
}

/// With the hypotheses of those that were decoded, without the others.
std::vector<UtteranceResult> with_hypotheses(std::vector<UtteranceResult> results,
                                             const DecodedFile& decoded, std::int64_t nbest) {
  std::erase_if(results, [&](const auto& one) { return !decoded.done().contains(one.id); });
  for (auto& one : results) {
    const auto& found = decoded.done().at(one.id);
    one.hypothesis = found.hypothesis;
    one.score = found.score;
    if (found.frames > 0) one.frames = found.frames;
    for (const auto& alternative : found.nbest) one.alternatives.push_back(alternative.text);
    if (nbest > 0 && one.alternatives.empty())
      one.alternatives.emplace_back();  // nothing was found
  }
  return results;
}

/// Frames of a clip side by side, grey, 96 x 96 each, as a PNG; empty when the clip cannot be read.
std::string mouth_row(const data::SampleReader& reader, const data::Utterance& utterance) {
  constexpr auto kSide = data::kStoredSide;
  try {
    const auto clip = reader.read_whole(utterance, {data::Placement{}},
                                        {.video = true, .audio = false}, data::kMaxListedFrames);
    const auto shown = std::min(kPicturedFrames, clip.frames);
    std::vector<std::uint8_t> row(static_cast<std::size_t>(shown * kSide * kSide));
    for (std::int64_t k = 0; k < shown; ++k) {
      const auto t = (2 * k + 1) * clip.frames / (2 * shown);
      for (std::int64_t y = 0; y < kSide; ++y) {
        std::copy_n(clip.video.begin() + (t * kSide + y) * kSide, kSide,
                    row.begin() + (y * shown + k) * kSide);
      }
    }
    return media::encode_png(row, kSide, shown * kSide, 1);
  } catch (const DataError&) {
    return {};
  }
}

/// The listed utterances, in the order of `ids`.
std::vector<data::Utterance> select(const data::Manifest& manifest,
                                    const std::vector<std::string>& ids) {
  std::map<std::string, const data::Utterance*> known;
  for (const auto& utterance : manifest.utterances) known[utterance.id] = &utterance;
  std::vector<data::Utterance> utterances;
  for (const auto& id : ids) utterances.push_back(*known.at(id));
  return utterances;
}

void write_crops(const EvaluationSet& set, const Scores& scores,
                 const std::vector<std::size_t>& worst,
                 const std::vector<data::Utterance>& utterances, const fs::path& folder) {
  const data::SampleReader reader({.video = {.window = 96, .shrink = 1, .crop = 96}},
                                  std::make_shared<data::ShardCache>(), set.manifest.file);
  std::vector<std::string> crops;
  make_folders(folder / kWorstPictures);
  for (std::size_t k = 0; k < worst.size(); ++k) {
    const auto png = mouth_row(reader, utterances[k]);
    crops.push_back(png.empty() ? "" : fmt::format("{}/{}.png", kWorstPictures, k));
    if (!png.empty()) write_file_atomically(folder / crops.back(), png);
  }
  write_worst(folder, scores, worst, crops);
}

void write_attention(LoadedRecognizer& loaded, const EvaluateConfig& config,
                     UtteranceEncoder& encoder, const DecodedFile& decoded,
                     std::vector<data::Utterance> utterances, const fs::path& folder) {
  utterances.resize(std::min(utterances.size(), kAttentionPictures));
  auto pictures = nlohmann::ordered_json::array();
  const auto draw = [&](const std::string& id, const torch::Tensor& frames) {
    pictures.push_back(
        alignment_picture(loaded, id, frames, decoded.done().at(id).units, config.decode));
  };
  encoder.encode(std::move(utterances), {}, draw, std::make_shared<data::SkipRecord>());
  if (!pictures.empty()) {
    write_file_atomically(folder / kAttention, pictures.dump(1) + "\n");
    return;
  }
  std::error_code ignored;  // of other results
  fs::remove(folder / kAttention, ignored);
}

/// The list with what was recognised as its texts; utterances that could not be read are left out.
/// Its counts are those of the video, which whole sound does not tell: where the list does not know
/// them either, the video's header is asked.
void write_recognised(const EvaluationSet& set, const DecodedFile& decoded, bool whole_sound,
                      const fs::path& file) {
  data::Manifest list{.file = file, .utterances = {}};
  const data::SampleReader reader({}, std::make_shared<data::ShardCache>(), set.manifest.file);
  for (auto utterance : set.manifest.utterances) {
    const auto found = decoded.done().find(utterance.id);
    if (found == decoded.done().end()) continue;
    utterance.text = found->second.hypothesis;
    utterance.text_is_units = false;
    const bool is_decoded = !whole_sound || utterance.video.empty();
    if (is_decoded && found->second.frames > 0) utterance.frames = found->second.frames;
    if (!is_decoded && utterance.length_is_approximate)
      utterance.frames = reader.told_frames(utterance).value_or(utterance.frames);
    list.utterances.push_back(std::move(utterance));
  }
  try {
    data::write_manifest(list);
  } catch (const DataError& error) {  // ids and paths of a published list may have tabs
    fs::remove(file);                 // of other results
    log::warn("the list of what was recognised is not written: {}", error.what());
  }
}

void write_lists(const EvaluationSet& set, const DecodedFile& decoded, const fs::path& file) {
  std::vector<NbestList> lists;
  for (const auto& utterance : set.manifest.utterances) {
    const auto found = decoded.done().find(utterance.id);
    if (found == decoded.done().end()) continue;
    lists.push_back(
        {.id = utterance.id, .alternatives = found->second.nbest, .ctc = found->second.ctc});
  }
  write_nbest(file, lists);
}

void write_results(LoadedRecognizer& loaded, const EvaluationSet& set, const EvaluateConfig& config,
                   UtteranceEncoder& encoder, const DecodedFile& decoded, const Scores& scores,
                   const fs::path& folder) {
  write_recognised(set, decoded, loaded.settings.hears_whole_sound(), folder / kRecognised);
  if (config.decode.nbest > 0) {
    write_lists(set, decoded, folder / kNbest);
  } else {
    fs::remove(folder / kNbest);
  }
  write_scores(folder, scores);
  if (scores.utterances.empty()) {
    fs::remove(folder / kAttention);
    fs::remove_all(folder / kWorstPictures);
    return;
  }
  const auto worst = worst_utterances(scores, kWorst);
  std::vector<std::string> ids;
  for (const auto k : worst) ids.push_back(scores.utterances[k].result.id);
  const auto utterances = select(set.manifest, ids);
  write_crops(set, scores, worst, utterances, folder);
  write_attention(loaded, config, encoder, decoded, utterances, folder);
}

Scores score_all(std::vector<UtteranceResult> results, const EvaluationSet& set,
                 const config::ScoringConfig& scoring,
                 const std::map<std::string, std::int64_t>& skipped) {
  auto scores = score(std::move(results),
                      {.bootstrap = {.resamples = scoring.bootstrap,
                                     .seed = static_cast<std::uint64_t>(scoring.seed)},
                       .confidence = scoring.bootstrap > 0},
                      skipped);
  if (!scores.utterances.empty() || !scores.unscored.empty()) return scores;
  std::vector<std::string> why;
  for (const auto& [reason, count] : scores.skipped)
    why.push_back(fmt::format("{} {}", count, reason));
  throw DataError(
      fmt::format("{}: none of {} utterances can be decoded ({}); a set needs readable files",
                  set.manifest.file.string(), set.manifest.utterances.size(), fmt::join(why, ", ")),
      "unreadable");
}

/// What ranks do that do not write: their share of what rank 0 finds missing.
bool help_to_decode(LoadedRecognizer& loaded, const EvaluationSet& set,
                    const EvaluateConfig& config, const torch::Device& device,
                    const fs::path& folder, const std::stop_token& stop,
                    distributed::Communicator& ranks) {
  if (!ranks.any(false)) return true;  // nothing is missing
  UtteranceEncoder encoder(loaded, set, config, device);
  DecodedFile part(part_of_rank(folder / kDecoded, ranks.rank()),
                   identity(loaded, set, config, device));
  return decode_missing(
      loaded, set, config, encoder, stop, [](auto, auto) {}, part,
      std::make_shared<data::SkipRecord>(), ranks);
}

}  // namespace

std::optional<Scores> evaluate_set(LoadedRecognizer& loaded, const EvaluationSet& set,
                                   const EvaluateConfig& config, const torch::Device& device,
                                   const fs::path& folder, const std::stop_token& stop,
                                   const DecodingProgress& progress, OtherResults others,
                                   distributed::Communicator& ranks) {
  const torch::NoGradGuard no_grad;
  loaded.recognizer->to(device);
  loaded.recognizer->eval();
  if (!loaded.language_model.model.is_empty()) loaded.language_model.model->to(device);
  if (ranks.rank() > 0) {
    const bool done = help_to_decode(loaded, set, config, device, folder, stop, ranks);
    return done ? std::optional<Scores>(std::in_place) : std::nullopt;
  }
  auto references = references_of(set, loaded.units);
  NewFolder made(folder);
  const FolderLock lock(folder);
  DecodedFile decoded(folder / kDecoded, identity(loaded, set, config, device), others);
  decoded.take_over_parts();
  UtteranceEncoder encoder(loaded, set, config, device);
  const auto finished = decoded.finished();
  const auto skips = std::make_shared<data::SkipRecord>();
  ranks.any(!finished);  // the others may open their parts
  if (finished) {
    skips->by_reason = finished->skipped;
    log::info("{}: was decoded before; hypotheses are those of {}; delete it to decode anew",
              folder.string(), decoded.path().string());
  } else {
    const KeepsProgress keeps(made, decoded);
    if (!decode_missing(loaded, set, config, encoder, stop, progress, decoded, skips, ranks)) {
      made.keep();  // the same call goes on
      return std::nullopt;
    }
  }
  const auto& skipped = skips->by_reason;
  auto results = with_hypotheses(std::move(references), decoded, config.decode.nbest);
  const auto scoring = scoring_identity(results, config.scoring);
  auto scores = score_all(std::move(results), set, config.scoring, skipped);
  scores.with = decoded_with(loaded, config);
  const bool is_written = finished && finished->scoring == scoring &&
                          fs::exists(folder / "hyp.trn") && fs::exists(folder / kRecognised) &&
                          fs::exists(folder / "wer.json") == !scores.utterances.empty() &&
                          fs::exists(folder / kNbest) == (config.decode.nbest > 0);
  if (!is_written) {
    decoded.reopen();  // from here on until the end the results are in parts
    write_results(loaded, set, config, encoder, decoded, scores, folder);
    decoded.finish({.skipped = skipped, .scoring = scoring});
  }
  made.keep();
  return scores;
}

}  // namespace raven::evaluation
