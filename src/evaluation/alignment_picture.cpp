#include "evaluation/alignment_picture.h"

#include <algorithm>
#include <cmath>

#include "raven/decode/decode.h"

namespace raven::evaluation {
namespace {

using Json = nlohmann::ordered_json;
using config::DecodeConfig;

constexpr std::size_t kMostRows = 400;  // what a report shows

/// Four digits are enough for a picture.
double rounded(double weight) { return std::round(weight * 1e4) / 1e4; }

Json attention_rows(LoadedRecognizer& loaded, const torch::Tensor& frames,
                    const std::vector<std::int64_t>& read) {
  const auto weights =
      loaded.recognizer->decoder
          ->memory_weights(torch::tensor(read).unsqueeze(0).to(frames.device()), frames, {})
          .squeeze(0)
          .to(torch::kFloat64)
          .cpu();  // (U, T)
  const auto weight = weights.accessor<double, 2>();
  auto rows = Json::array();
  for (std::int64_t u = 0; u < weights.size(0); ++u) {
    auto row = Json::array();
    for (std::int64_t t = 0; t < weights.size(1); ++t) row.push_back(rounded(weight[u][t]));
    rows.push_back(std::move(row));
  }
  return rows;
}

Json ctc_spikes(LoadedRecognizer& loaded, const torch::Tensor& frames) {
  const auto best = loaded.recognizer->ctc(frames).squeeze(0).argmax(-1).cpu();  // (T)
  auto spikes = Json::array();
  std::int64_t last = models::kBlank;
  for (std::int64_t t = 0; t < best.size(0); ++t) {
    const auto unit = best[t].item<std::int64_t>();
    if (unit != models::kBlank && unit != last) spikes.push_back({t, loaded.units.piece(unit)});
    last = unit;
  }
  return spikes;
}

}  // namespace

Json alignment_picture(LoadedRecognizer& loaded, const std::string& id, const torch::Tensor& frames,
                       const std::vector<std::int64_t>& units, const DecodeConfig& config) {
  const auto end = loaded.units.eos();
  std::vector<std::int64_t> said(units.begin(), std::ranges::find(units, end));
  said.push_back(end);
  said.resize(std::min(said.size(), kMostRows));
  std::vector<std::int64_t> read = {end};  // which starts a sentence, too
  read.insert(read.end(), said.begin(), said.end() - 1);
  Json picture = {{"id", id}, {"units", Json::array()}};
  for (const auto unit : said) picture["units"].push_back(loaded.units.piece(unit));
  if (decode::uses_decoder(config)) picture["attention"] = attention_rows(loaded, frames, read);
  if (decode::uses_ctc(config)) picture["ctc"] = ctc_spikes(loaded, frames);
  return picture;
}

}  // namespace raven::evaluation
