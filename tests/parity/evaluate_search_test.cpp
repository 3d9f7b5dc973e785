// The searches of beam_search.json with a language model, through `raven evaluate` itself: files of
// a recognizer and a language model, a list of clips, and the n-best list that comes out.
//
// The golden inputs are encoder outputs, for which there are no clips. So clips of noise are made,
// and a recognizer whose encoder gives the golden output for each of them:
// - a golden frame y (E numbers) is in its output as z = (y, a, b), with a and b such that each z
//   has mean 0 and the same norm, as what comes out of the last LayerNorm has; CTC layer and
//   decoder look at y alone,
// - what the audio frontend makes of all frames of all clips is mapped onto the z by least squares,
//   which has a solution since there are fewer frames than channels; the block adds nothing.
// All else is the golden model. Frontend and blocks of real encoders have golden files of their own
// (encoders.json).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "raven/core/files.h"
#include "raven/core/random.h"
#include "raven/data/manifest.h"
#include "raven/evaluation/nbest_list.h"
#include "raven/media/audio_reader.h"
#include "raven/media/media_writer.h"
#include "raven/nn/state_dict.h"
#include "raven/weights/model_settings.h"
#include "support/golden_search.h"
#include "support/shell.h"
#include "support/temporary_folder.h"
#include "support/tolerance.h"

namespace raven {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::int64_t kChannels = 256;  // of the frontend; more than all clips have frames
constexpr std::int64_t kExtra = 2;       // a and b

/// A sound in which every frame differs from the others.
std::vector<float> noise(std::int64_t frames, Random& random) {
  std::vector<float> samples;
  for (std::int64_t t = 0; t < frames; ++t) {
    const double pitch = random.uniform(0.01, 0.4), loud = random.uniform(0.1, 0.6);
    for (std::int64_t i = 0; i < 640; ++i) {
      const double x =
          std::sin(2 * std::numbers::pi * pitch * static_cast<double>(i)) + 0.3 * random.normal();
      samples.push_back(static_cast<float>(std::clamp(loud * x, -0.99, 0.99)));
    }
  }
  return samples;
}

/// y (T, E) -> z (T, E + 2): rows of mean 0 and squared norm `square`.
torch::Tensor with_extra(const torch::Tensor& y, double square) {
  const auto sum = y.sum(1), rest = square - y.square().sum(1);  // a + b = -sum, a^2 + b^2 = rest
  const auto root = (2 * rest - sum.square()).sqrt();
  return torch::cat({y, ((-sum + root) / 2).unsqueeze(1), ((-sum - root) / 2).unsqueeze(1)}, 1);
}

/// `weight` (N, E) for inputs with the extra numbers, which count nothing.
torch::Tensor blind_to_extra(const torch::Tensor& weight) {
  return torch::constant_pad_nd(weight, {0, kExtra});
}

/// A golden model as files, with clips for its inputs.
class Files {
 public:
  explicit Files(const std::string& name) {
    const auto golden = parity::json("beam_search.json");
    content_ = golden.at("models").at(name);
    for (const auto& [input, content] : golden.at("inputs").items()) {
      if (content.at("model") == name) add_clip(input, content);
    }
    data::write_manifest(manifest_);
    torch::NoGradGuard no_grad;
    write_recognizer();
    write_language_model();
  }

  /// The n-best lists of all clips, by their names.
  std::map<std::string, std::vector<evaluation::Alternative>> evaluate(const json& search) {
    const auto out = folder_.path() / ("out" + std::to_string(++runs_));
    const auto number = [&](const char* key) { return search.at(key).dump(); };
    const auto result = shell(fmt::format(
        RAVEN_BINARY_DIR
        "/bin/raven evaluate device=cpu threads=1 model={} data.manifest={} out={} "
        "decode.beam_size={} decode.ctc_weight={} decode.length_bonus={} "
        "decode.max_length_ratio={} decode.lm={} decode.lm_weight={} decode.nbest=5 2>&1",
        file("recognizer.safetensors"), file("clips.tsv"), out.string(), number("beam"),
        number("ctc"), number("penalty"), number("maxlenratio"), file("lm.safetensors"),
        number("lm")));
    EXPECT_EQ(result.code, 0) << result.output;
    std::map<std::string, std::vector<evaluation::Alternative>> lists;
    for (auto& list : evaluation::read_nbest(out / "clips" / "nbest.jsonl"))
      lists[list.id] = std::move(list.alternatives);
    return lists;
  }

 private:
  [[nodiscard]] std::string file(const std::string& name) const {
    return (folder_.path() / name).string();
  }
  [[nodiscard]] std::int64_t units() const { return content_.at("vocab"); }
  [[nodiscard]] std::int64_t golden_dim() const { return content_.at("encoder_dim"); }

  void add_clip(const std::string& input, const json& content) {
    const auto frames = golden::search_input(content)[0].to(torch::kFloat64);  // (T, E)
    const fs::path wav = file(input + ".wav");
    write_file_atomically(wav, media::encode_wav(noise(frames.size(0), random_)));
    outputs_.push_back(frames);
    data::Utterance utterance;
    utterance.id = input;
    utterance.audio.file = wav;
    utterance.frames = frames.size(0);
    manifest_.file = file("clips.tsv");
    manifest_.utterances.push_back(std::move(utterance));
  }

  [[nodiscard]] weights::ModelSettings settings() const {
    const auto& sizes = content_.at("decoder");
    weights::ModelSettings settings;
    settings.modality = models::Modality::kAudio;
    settings.encoder = {.dim = golden_dim() + kExtra, .heads = 1, .ffn_dim = 4, .blocks = 1};
    settings.frontend.widths = {16, 32, 64, kChannels};
    settings.decoder = {.dim = sizes.at("dim"),
                        .heads = sizes.at("heads"),
                        .ffn_dim = sizes.at("ffn"),
                        .blocks = sizes.at("blocks")};
    settings.units = units_text();
    settings.vocabulary = units();
    return settings;
  }
  [[nodiscard]] std::string units_text() const {
    std::vector<std::string> pieces;
    for (std::int64_t i = 2; i < units() - 1; ++i) pieces.push_back("p" + std::to_string(i));
    return text::Units(pieces).text();
  }

  /// Weight (D, F) and bias (D) that give z for what the frontend makes of the clips.
  void fit_embedding(models::Recognizer& recognizer, const torch::Tensor& z) {
    std::vector<torch::Tensor> features;
    for (const auto& utterance : manifest_.utterances) {
      const auto samples = media::read_audio(utterance.audio.file).samples;
      features.push_back(
          recognizer->encoder->frontend(torch::tensor(samples).view({1, -1, 1}))[0].to(
              torch::kFloat64));
    }
    const auto x = torch::cat(features);  // (frames of all clips, F)
    ASSERT_LT(x.size(0), kChannels);
    const auto mean = x.mean(0), target_mean = z.mean(0);
    const auto scale = std::sqrt(static_cast<double>(z.size(1)));  // the embedding's own
    const auto weight = torch::linalg_pinv(x - mean).matmul(z - target_mean).t() / scale;
    auto parameters = recognizer->encoder->named_parameters();
    parameters["embed.0.weight"].copy_(weight);
    parameters["embed.0.bias"].copy_(target_mean / scale - weight.matmul(mean));
  }

  void set_encoder(models::Recognizer& recognizer) {
    const auto y = torch::cat(outputs_);
    const double square =
        2 * y.square().sum(1).max().item<double>() + y.sum(1).square().max().item<double>();
    const auto z = with_extra(y, square);
    fit_embedding(recognizer, z);
    auto parameters = recognizer->encoder->named_parameters();
    parameters["encoders.0.gamma_mha"].zero_();
    parameters["encoders.0.gamma_ff"].zero_();
    parameters["after_norm.weight"].fill_(std::sqrt(square / static_cast<double>(z.size(1))));
    parameters["after_norm.bias"].zero_();
    std::int64_t begin = 0;
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const auto samples = media::read_audio(manifest_.utterances[i].audio.file).samples;
      const auto encoded = recognizer->encode(torch::tensor(samples).view({1, -1, 1}))[0];
      const auto frames = outputs_[i].size(0);
      EXPECT_LE(tolerance::distance(encoded, z.slice(0, begin, begin + frames)),
                tolerance::decoding::kSearch)
          << "the clips do not become the golden inputs";
      begin += frames;
    }
  }

  void write_recognizer() {
    const auto golden = golden::search_model(content_);
    const auto settings = this->settings();
    models::Recognizer recognizer(models::RecognizerOptions{.modality = settings.modality,
                                                            .encoder = settings.encoder,
                                                            .frontend = settings.frontend,
                                                            .decoder = settings.decoder,
                                                            .units = units()});
    recognizer->eval();
    formula::fill(*recognizer, "evaluate/", "");
    set_encoder(recognizer);
    std::map<std::string, torch::Tensor> heads;
    for (const auto& item : golden::prefixed("ctc.", *golden.ctc)) heads.insert(item);
    for (const auto& item : golden::prefixed("decoder.", *golden.decoder)) heads.insert(item);
    // Without a projection of its own the golden decoder reads y as it is.
    const auto same = torch::eye(golden_dim());
    heads.emplace("decoder.proj_decoder.weight", same);
    heads.emplace("decoder.proj_decoder.bias", torch::zeros({golden_dim()}));
    for (const auto* reads_encoder : {"ctc.ctc_lo.weight", "decoder.proj_decoder.weight"})
      heads.at(reads_encoder) = blind_to_extra(heads.at(reads_encoder));
    for (auto [name, tensor] : nn::state_dict(*recognizer)) {
      if (!name.starts_with("encoder.")) tensor.copy_(heads.at(name));
    }
    weights::write_safetensors(file("recognizer.safetensors"),
                               {.tensors = nn::state_dict(*recognizer),
                                .metadata = settings.to_metadata(weights::ModelKind::kRecognizer)},
                               {.hashes = true});
  }

  void write_language_model() {
    const auto& lm = content_.at("lm");
    const config::LanguageModelConfig options{.embed_dim = lm.at("embed"),
                                              .dim = lm.at("dim"),
                                              .heads = lm.at("heads"),
                                              .ffn_dim = lm.at("ffn"),
                                              .blocks = lm.at("blocks")};
    weights::TensorFile content{
        .tensors = nn::state_dict(*golden::search_model(content_).language_model),
        .metadata = config::flatten(options, "model.")};
    content.metadata["format"] = weights::format_of(weights::ModelKind::kLanguageModel);
    content.metadata["format_version"] = "1";
    content.metadata["units"] = units_text();
    weights::write_safetensors(file("lm.safetensors"), content, {.hashes = true});
  }

  json content_;
  TemporaryFolder folder_;
  Random random_{7};
  data::Manifest manifest_;
  std::vector<torch::Tensor> outputs_;  // golden, (T, E) each, in the order of the clips
  int runs_ = 0;
};

void expect_list(const std::vector<evaluation::Alternative>& list, const json& search) {
  auto where = search;
  where.erase("nbest");
  const auto& expected = search.at("nbest");
  ASSERT_EQ(list.size(), expected.size()) << where;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(list[i].units, expected[i].at("ids").get<std::vector<std::int64_t>>())
        << where << " " << i;
    const auto expect_near = [&](double value, double golden, const std::string& what) {
      EXPECT_NEAR(value, golden, tolerance::decoding::kSearch + parity::rounding(golden))
          << where << " " << i << " " << what;
    };
    expect_near(list[i].score, expected[i].at("score"), "score");
    EXPECT_EQ(list[i].parts.size(), expected[i].at("scores").size()) << where << " " << i;
    for (const auto& [name, part] : expected[i].at("scores").items())
      expect_near(list[i].parts.at(name), part, name);
  }
}

/// The wider beams with a language model; the library's test has all searches.
bool is_compared(const json& search) {
  return search.at("lm") != 0 && search.at("beam") >= 10 && search.at("maxlenratio") == 0;
}

TEST(EvaluateParity, ListsTheGoldenHypothesesWithALanguageModel) {
  const auto golden = parity::json("beam_search.json");
  std::map<std::string, Files> models;
  std::map<std::string, std::map<std::string, std::vector<evaluation::Alternative>>> found;
  std::size_t compared = 0;
  for (const auto& search : golden.at("searches")) {
    if (!is_compared(search)) continue;
    const auto input = search.at("input").get<std::string>();
    const auto model = golden.at("inputs").at(input).at("model").get<std::string>();
    const auto settings =
        model +
        json({search.at("beam"), search.at("ctc"), search.at("lm"), search.at("penalty")}).dump();
    if (!found.contains(settings)) {
      auto& files = models.try_emplace(model, model).first->second;
      found[settings] = files.evaluate(search);
    }
    expect_list(found.at(settings).at(input), search);
    ++compared;
  }
  EXPECT_GT(compared, 0U);
}

}  // namespace
}  // namespace raven
