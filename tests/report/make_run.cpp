#include "report/make_run.h"

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "raven/core/random.h"
#include "raven/media/image_writer.h"
#include "raven/report/metric_names.h"

namespace raven::report {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::string crops_picture() {
  constexpr std::int64_t kSide = 96, kFrames = 16;
  std::vector<std::uint8_t> pixels;
  for (std::int64_t y = 0; y < kSide; ++y) {
    for (std::int64_t x = 0; x < kSide * kFrames; ++x) {
      pixels.push_back(static_cast<std::uint8_t>((x + y) % 256));
    }
  }
  return media::encode_png(pixels, kSide, kSide * kFrames, 1);
}

void make_metrics(const fs::path& file, const RunOptions& options) {
  std::ofstream out(file);
  for (int step = 10; step <= options.steps; step += 10) {
    const double share = static_cast<double>(step) / options.steps, fall = std::exp(-4 * share);
    Json line = {{"step", step},
                 {metric("loss"), 1 + 3 * fall},
                 {metric("epoch"), step / 50.0},
                 {metric("lr"), 1e-3 * (1 - share)},
                 {metric("frames_per_s"), 500},
                 {metric("wait_share"), 0.02},
                 {metric("grad_norm"), 2 + fall},
                 {metric("rss_bytes"), 5e8}};
    if (options.fine_tuning) {
      line[metric("valid_wer_ctc")] = options.wer + 0.1 + 0.6 * fall;
      line[metric("valid_wer_attention")] = options.wer + 0.6 * fall;
      line[metric("valid_accuracy")] = 1 - options.wer / 2 - 0.4 * fall;
    } else {
      line[metric("gain_<loss>", "v2a")] = 0.2 - fall;
      line[metric("gain_<loss>", "a2v")] = 0.15 - fall;
      line[metric("target_spread_<modality>", "video")] = 0.6;
      line[metric("momentum")] = 0.999;
      line[metric("probe_r2_<modality>", "video")] = 0.3 * share;
    }
    if (!options.text.empty()) line["odd " + options.text.substr(0, 80)] = step;
    out << line.dump() << "\n";
  }
}

void make_evaluation(const fs::path& folder, const RunOptions& options) {
  fs::create_directories(folder / "worst");
  Random random(7);
  std::string utterances;
  for (int i = 0; i < 40; ++i) {
    const double errors = i % 3;
    const Json line = {{"id", "s" + std::to_string(i % 4) + "/" + std::to_string(i) + options.text},
                       {"speaker", "s" + std::to_string(i % 4) + options.text},
                       {"frames", 50 + i},
                       {"snr_db", nullptr},
                       {"ref", "LAY BLUE AT P TWO NOW " + options.text},
                       {"hyp", i == 5 ? "" : "LAY BLUE AT B TWO NOW " + options.text},
                       {"words", 6},
                       {"substitutions", errors},
                       {"deletions", 0},
                       {"insertions", 0},
                       {"chars", 20},
                       {"char_errors", 1},
                       {"score", -2.5}};
    utterances += line.dump() + "\n";
  }
  write(folder / "utterances.jsonl", utterances);
  const Json row = {{"speaker", "s1" + options.text}, {"wer", options.wer}, {"words", 60}};
  const Json length = {{"from_s", 2}, {"to_s", 3}, {"wer", options.wer}, {"words", 60}};
  const Json longer = {{"from_s", 3}, {"to_s", nullptr}, {"wer", options.wer}, {"words", 61}};
  write(folder / "wer.json", Json({{"wer", options.wer},
                                   {"cer", options.wer / 2},
                                   {"substitutions", 40},
                                   {"deletions", 5},
                                   {"insertions", 2},
                                   {"words", 240},
                                   {"utterances", 40},
                                   {"sentence_errors", 27},
                                   {"confidence", {options.wer - 0.03, options.wer + 0.03}},
                                   {"skipped", {{"corrupt" + options.text, 1}}},
                                   {"by_length", Json::array({length, longer})},
                                   {"by_speaker", {row}}})
                                 .dump());
  const Json worst = {{"id", "s1/00005" + options.text},
                      {"ref", "LAY BLUE AT " + options.text},
                      {"hyp", "LAY RED RED RED RED"},
                      {"ops",
                       {{"=", "LAY", "LAY"},
                        {"S", "BLUE", "RED"},
                        {"D", "AT" + options.text, ""},
                        {"I", "", "RED" + options.text}}},
                      {"wer", 1.25},
                      {"frames", 40},
                      {"crops", "worst/0.png"}};
  write(folder / "worst.json", Json::array({worst}).dump());
  write(folder / "worst/0.png", crops_picture());
  Json attention = {{"id", "s1/00005" + options.text},
                    {"units", {"LAY" + options.text, "BLUE", "AT"}},
                    {"attention", Json::array()},
                    {"ctc", {{5, "LAY" + options.text}, {20, "BLUE"}}}};
  for (int unit = 0; unit < 3; ++unit) {
    Json weights = Json::array();
    for (int frame = 0; frame < 40; ++frame) {
      weights.push_back(std::exp(-std::pow((frame - 13.0 * unit - 6) / 4, 2)));
    }
    attention["attention"].push_back(weights);
  }
  Json second = attention;
  second["id"] = "s1/00006" + options.text;
  write(folder / "attention.json", Json::array({attention, second}).dump());
}

}  // namespace

void write(const fs::path& file, const std::string& content) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << content;
}

void make_run(const fs::path& folder, const RunOptions& options) {
  fs::create_directories(folder);
  Json config = {{"model.encoder.blocks", "3"},
                 {"model.encoder.dim", "128"},
                 {"data.manifest", "[train.tsv]" + options.text},
                 {"odd" + options.text, "value" + options.text}};
  if (options.fine_tuning) {
    config["loss.ctc_weight"] = "0.1";
    config["model.modality"] = "video";
    config["model.init"] = "runs/pretrained" + options.text;
  } else {
    config["teacher.momentum"] = "0.999";
  }
  write(folder / "config.json", config.dump());
  write(folder / "config.yaml", "model: {encoder: {blocks: 3}}  # " + options.text + "\n");
  write(folder / "overrides.txt", "train.steps=200" + options.text + "\n");
  write(folder / "environment.json", Json({{"device", "cpu" + options.text},
                                           {"steps", std::to_string(options.steps)},
                                           {"parameters", "4123456"},
                                           {"hours", "0.5"},
                                           {"utterances", "300"}})
                                         .dump());
  write(folder / "log.txt",
        "2026-01-31 12:00:00 I started\n2026-01-31 12:00:01 W odd: " + options.text + "\n");
  write(folder / "skipped.tsv",
        "s1/7" + options.text + "\tcorrupt" + options.text + "\tcut off" + options.text + "\n");
  make_metrics(folder / "metrics.jsonl", options);
  if (!options.fine_tuning) return;
  make_evaluation(folder / "evaluate/test", options);
  make_evaluation(folder / "evaluate/test@babble_0dB", options);
}

}  // namespace raven::report
