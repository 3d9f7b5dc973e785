#include "raven/evaluation/decoding_run.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "raven/config/load.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/data/labels.h"
#include "raven/data/loader.h"
#include "raven/data/sample_reader.h"
#include "raven/decode/decode.h"
#include "raven/media/image_writer.h"
#include "raven/train/checkpoint.h"
#include "raven/train/finetune_task.h"

namespace raven::evaluation {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kDecoded = "decoded.jsonl";
constexpr std::int64_t kPicturedFrames = 12;

/// What the hypotheses depend on, in one line.
std::string identity(const LoadedRecognizer& loaded, const data::Manifest& manifest,
                     const config::EvaluateConfig& config) {
  const auto weights =
      fs::is_directory(loaded.file) ? loaded.file / "model.safetensors" : loaded.file;
  return checksum_text(checksum_file(weights)) + " " + train::data_hash(manifest) + " " +
         checksum_text(checksum(config::to_yaml(config)));
}

/// Lines that are whole JSON objects; what follows the first damaged one is dropped.
class DecodedFile {
 public:
  DecodedFile(const fs::path& folder, const std::string& identity) : path_(folder / kDecoded) {
    make_folders(folder);
    std::string kept = Json{{"identity", identity}}.dump() + "\n";
    std::ifstream in(path_);
    std::string line;
    bool first = true;
    while (std::getline(in, line)) {
      const auto json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (!json.is_object() || in.eof()) break;  // a line without its end was cut short
      const auto is = [&](const char* key, auto kind) {
        return json.contains(key) && kind(json[key]);
      };
      const auto text = [](const Json& value) { return value.is_string(); };
      const auto number = [](const Json& value) { return value.is_number(); };
      if (first && (!is("identity", text) || json["identity"] != identity)) break;
      if (!first) {
        if (!is("id", text) || !is("hyp", text) || !is("score", number)) break;
        done_[json.at("id")] = {json.at("hyp"), json.at("score")};
        kept += line + "\n";
      }
      first = false;
    }
    in.close();
    write_file_atomically(path_, kept);
    out_.open(path_, std::ios::app);
  }

  struct Decoded {
    std::string hypothesis;
    double score = 0;
  };
  [[nodiscard]] const std::map<std::string, Decoded>& done() const { return done_; }

  void add(const std::string& id, const Decoded& decoded) {
    out_ << Json{{"id", id}, {"hyp", decoded.hypothesis}, {"score", decoded.score}}.dump(
                -1, ' ', false, Json::error_handler_t::replace)
         << '\n'
         << std::flush;
    if (!out_) throw SystemError(fmt::format("cannot write {}", path_.string()));
    done_[id] = decoded;
  }

 private:
  fs::path path_;
  std::map<std::string, Decoded> done_;
  std::ofstream out_;
};

DecodedFile::Decoded decode_one(LoadedRecognizer& loaded, const data::Batch& one,
                                const config::DecodeConfig& config) {
  const auto modality = loaded.recognizer->options().modality;
  const auto frames = loaded.recognizer->encode(train::encoder_input(one, modality));
  const auto best =
      decode::decode(loaded.recognizer, {.frames = frames, .valid = {}, .ids = one.ids}, config)
          .front();
  if (best.empty()) return {};
  return {loaded.units.detokenise(best.front().units), best.front().score};
}

/// Frames of a clip side by side, grey, 96 x 96 each, as a PNG; empty when the clip cannot be read.
std::string mouth_row(const data::SampleReader& reader, const data::Utterance& utterance) {
  constexpr auto kSide = data::kStoredSide;
  try {
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(utterance.frames * kSide * kSide));
    reader.read(utterance, {}, pixels.data(), nullptr);
    const auto shown = std::min(kPicturedFrames, utterance.frames);
    std::vector<std::uint8_t> row(static_cast<std::size_t>(shown * kSide * kSide));
    for (std::int64_t k = 0; k < shown; ++k) {
      const auto t = (2 * k + 1) * utterance.frames / (2 * shown);
      for (std::int64_t y = 0; y < kSide; ++y) {
        std::copy_n(pixels.begin() + (t * kSide + y) * kSide, kSide,
                    row.begin() + (y * shown + k) * kSide);
      }
    }
    return media::encode_png(row, kSide, shown * kSide, 1);
  } catch (const DataError&) {
    return {};
  }
}

}  // namespace

std::optional<DecodedSet> decode_set(LoadedRecognizer& loaded, const data::Manifest& manifest,
                                     const config::EvaluateConfig& config,
                                     const torch::Device& device, const fs::path& folder,
                                     const std::stop_token& stop,
                                     const DecodingProgress& progress) {
  torch::NoGradGuard no_grad;
  loaded.recognizer->to(device);
  loaded.recognizer->eval();
  DecodedFile decoded(folder, identity(loaded, manifest, config));
  data::Manifest missing{.file = manifest.file, .utterances = {}};
  std::int64_t frames_done = 0;
  for (const auto& utterance : manifest.utterances) {
    if (decoded.done().contains(utterance.id)) {
      frames_done += utterance.frames;
    } else {
      missing.utterances.push_back(utterance);
    }
  }
  if (frames_done > 0)
    log::info("{}: goes on after {} utterances", folder.string(), decoded.done().size());
  DecodedSet set;
  if (!missing.utterances.empty()) {
    auto options = data::held_out_options(loaded.config.data, 0, missing);
    options.workers = config.data.workers;
    options.max_skipped = config.data.max_skipped;
    options.read_video = loaded.recognizer->options().modality == models::Modality::kVideo;
    options.read_audio = !options.read_video;
    data::Loader loader(missing, options);
    while (const auto batch = loader.next()) {
      for (std::int64_t b = 0; b < std::ssize(batch->ids); ++b) {
        if (stop.stop_requested()) return std::nullopt;
        const auto one = batch->row(b).to(device);
        decoded.add(one.ids.front(), decode_one(loaded, one, config.decode));
        progress(frames_done += one.num_frames_of.front(), manifest.total_frames());
      }
    }
    set.skipped = loader.skipped();
  }
  for (const auto& utterance : manifest.utterances) {
    const auto found = decoded.done().find(utterance.id);
    if (found == decoded.done().end()) continue;
    set.results.push_back({.id = utterance.id,
                           .speaker = utterance.speaker,
                           .frames = utterance.frames,
                           .snr_db = {},
                           .reference = data::reference_text(utterance, loaded.units),
                           .hypothesis = found->second.hypothesis,
                           .score = found->second.score});
  }
  return set;
}

Scores write_set(const DecodedSet& decoded, const data::Manifest& manifest,
                 const config::EvaluateConfig& config, const fs::path& folder) {
  const auto scores = score(decoded.results,
                            {.bootstrap = {.resamples = config.scoring.bootstrap,
                                           .seed = static_cast<std::uint64_t>(config.scoring.seed)},
                             .confidence = config.scoring.bootstrap > 0},
                            decoded.skipped);
  write_scores(folder, scores);
  const auto worst = worst_utterances(scores, kWorst);
  std::map<std::string, const data::Utterance*> utterances;
  for (const auto& utterance : manifest.utterances) utterances[utterance.id] = &utterance;
  const data::SampleReader reader({.video = {.window = 96, .shrink = 1, .crop = 96}},
                                  std::make_shared<data::ShardCache>(), manifest.file);
  std::vector<std::string> crops;
  make_folders(folder / "worst");
  for (std::size_t k = 0; k < worst.size(); ++k) {
    const auto png = mouth_row(reader, *utterances.at(scores.utterances[worst[k]].result.id));
    crops.push_back(png.empty() ? "" : fmt::format("worst/{}.png", k));
    if (!png.empty()) write_file_atomically(folder / crops.back(), png);
  }
  write_worst(folder, scores, worst, crops);
  std::error_code ignored;
  fs::remove(folder / kDecoded, ignored);
  return scores;
}

}  // namespace raven::evaluation
