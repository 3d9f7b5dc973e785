#include "raven/artifacts/recognizer_source.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <functional>
#include <set>

#include "raven/core/error.h"
#include "raven/nn/state_dict.h"
#include "raven/weights/model_settings.h"
#include "raven/weights/pytorch_writer.h"
#include "support/temporary_folder.h"

namespace raven::artifacts {
namespace {

namespace fs = std::filesystem;
using config::InitParts;
using models::Modality;
using testing::HasSubstr;
using testing::Not;

const text::Units kUnits(std::vector<std::string>{"A", "B", "C"});

config::RecognizerConfig tiny_config() {
  config::RecognizerConfig config;
  config.encoder = {.dim = 8, .heads = 2, .ffn_dim = 12, .blocks = 3};
  config.video_frontend.widths = config.audio_frontend.widths = {4, 4, 8, 8};
  config.decoder = {.dim = 6, .heads = 2, .ffn_dim = 10, .blocks = 1};
  return config;
}

models::RecognizerOptions options_of(const config::RecognizerConfig& config) {
  return {.modality = config.modality,
          .encoder = config.encoder,
          .frontend = config.video_frontend,
          .decoder = config.decoder,
          .units = kUnits.size()};
}

/// Whose weights are other than those that any new one starts with.
models::Recognizer trained(const config::RecognizerConfig& config = tiny_config()) {
  torch::manual_seed(1);
  models::Recognizer recognizer(options_of(config));
  torch::NoGradGuard no_grad;
  for (auto& parameter : recognizer->parameters()) parameter.add_(0.25);
  return recognizer;
}

models::Recognizer fresh() {
  torch::manual_seed(2);
  return models::Recognizer(options_of(tiny_config()));
}

class RecognizerStarts : public testing::Test {
 protected:
  fs::path write(const weights::TensorFile& file) const {
    const auto path = folder_.path() / "model.safetensors";
    weights::write_safetensors(path, file);
    return path;
  }
  /// As a run writes it.
  fs::path write(models::Recognizer recognizer, const text::Units& units = kUnits) const {
    weights::ModelSettings settings;
    const auto& options = recognizer->options();
    settings.encoder = options.encoder;
    settings.frontend = options.frontend;
    settings.decoder = options.decoder;
    settings.units = units.text();
    settings.vocabulary = units.size();
    return write({.tensors = nn::state_dict(*recognizer),
                  .metadata = settings.to_metadata(weights::ModelKind::kRecognizer)});
  }
  static std::string problem(const std::function<void()>& start) {
    try {
      start();
    } catch (const CheckpointError& error) {
      return error.what();
    }
    return "";
  }
  TemporaryFolder folder_;
};

models::Recognizer started(config::RecognizerConfig config, const fs::path& init) {
  config.init = init.string();
  auto recognizer = fresh();
  apply_start(open_start(config, kUnits), config, recognizer);
  return recognizer;
}

/// Names of the tensors that came from `source`; each of the others must be as in a new one.
std::set<std::string> taken(const models::Recognizer& recognizer,
                            const models::Recognizer& source) {
  std::set<std::string> names;
  const auto all = nn::state_dict(*recognizer), there = nn::state_dict(*source),
             anew = nn::state_dict(*fresh());
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (torch::equal(all[i].second, there[i].second))
      names.insert(all[i].first);
    else
      EXPECT_TRUE(torch::equal(all[i].second, anew[i].second)) << all[i].first;
  }
  return names;
}

/// Tensors that are alike in both tell nothing: counters and statistics of BatchNorm.
bool tells(const std::string& name) {
  return name.find("running_") == std::string::npos && !name.ends_with("num_batches_tracked");
}

void expect_taken(const std::set<std::string>& names,
                  const std::function<bool(const std::string&)>& expected) {
  for (const auto& [name, tensor] : nn::state_dict(*fresh())) {
    if (tells(name)) EXPECT_EQ(names.contains(name), expected(name)) << name;
  }
}

bool in_block(const std::string& name, int block) {
  return name.starts_with("encoder.encoders." + std::to_string(block) + ".");
}
bool in_encoder(const std::string& name) {
  return name.starts_with("encoder.") && !name.starts_with("encoder.after_norm.");
}

TEST_F(RecognizerStarts, TakesAnEncoderButNotItsLastNorm) {
  const auto source = trained();
  for (const std::string prefix : {"", "encoder.", "student_video."}) {
    weights::TensorFile file;
    for (const auto& [name, tensor] : nn::state_dict(*source->encoder))
      file.tensors.emplace_back(prefix + name, tensor);
    expect_taken(taken(started(tiny_config(), write(file)), source), in_encoder);
  }
}

TEST_F(RecognizerStarts, TakesTheEncoderOfARecognizer) {
  const auto source = trained();
  auto config = tiny_config();
  config.init = write(source).string();
  const auto start = open_start(config, text::Units(std::vector<std::string>{"other"}));
  EXPECT_THAT(start.left, testing::ElementsAre("ctc (2 tensors)", HasSubstr("decoder ("),
                                               "encoder.after_norm (2 tensors)"));
  expect_taken(taken(started(config, config.init), source), in_encoder);
}

TEST_F(RecognizerStarts, LastBlocksMayStartAnew) {
  const auto source = trained();
  const auto file = write(source);
  auto config = tiny_config();
  config.reinit_blocks = 2;
  expect_taken(taken(started(config, file), source), [](const auto& name) {
    return in_encoder(name) && !in_block(name, 1) && !in_block(name, 2);
  });
  config.init_parts = InitParts::kAll;
  expect_taken(taken(started(config, file), source),
               [](const auto& name) { return !in_block(name, 1) && !in_block(name, 2); });
  config.init = file.string();
  EXPECT_THAT(open_start(config, kUnits).left,
              testing::ElementsAre(HasSubstr("the encoder's last 2 blocks (")));
  EXPECT_EQ(taken_text(config), "the whole recognizer but the encoder's last 2 blocks");
}

TEST_F(RecognizerStarts, TakesAWholeRecognizer) {
  const auto source = trained();
  auto config = tiny_config();
  config.init_parts = InitParts::kAll;
  expect_taken(taken(started(config, write(source)), source), [](const auto&) { return true; });
  // One of PyTorch does not tell its units: their number must do.
  const auto pth = folder_.path() / "model.pth";
  weights::write_pytorch_archive(pth, {.tensors = nn::state_dict(*source)});
  expect_taken(taken(started(config, pth), source), [](const auto&) { return true; });
}

TEST_F(RecognizerStarts, AWholeRecognizerHasTheSameSizesAndUnits) {
  auto config = tiny_config();
  config.init_parts = InitParts::kAll;
  config.init = write(trained()).string();
  const auto open = [](const config::RecognizerConfig& asked, const text::Units& units) {
    return problem([&] { open_start(asked, units); });
  };
  EXPECT_EQ(open(config, kUnits), "");
  auto other = config;
  other.encoder.blocks = 2;
  other.decoder.heads = 3;  // which no shape tells
  other.encoder.dropout = 0.3;
  const auto sizes = open(other, kUnits);
  EXPECT_THAT(sizes, HasSubstr("model.encoder.blocks: 3 in the file, 2 here"));
  EXPECT_THAT(sizes, HasSubstr("model.decoder.heads: 2 in the file, 3 here"));
  EXPECT_THAT(sizes, Not(HasSubstr("dropout")));
  EXPECT_THAT(open(config, text::Units(std::vector<std::string>{"A", "G", "C"})),
              HasSubstr("other units (6) than text.units or text.model give (6): unit 3 is 'B' "
                        "there, 'G' here"));
  EXPECT_THAT(open(config, text::Units(std::vector<std::string>{"A", "B"})),
              HasSubstr("give (5): unit 4 is 'C' there, '<eos>' here"));
  auto audio = config;
  audio.modality = Modality::kAudio;
  EXPECT_THAT(open(audio, kUnits), HasSubstr("expected one of audio"));
  // An encoder alone is none, and another number of units is refused where that is all that is
  // known.
  const auto pth = folder_.path() / "model.pth";
  weights::write_pytorch_archive(pth, {.tensors = nn::state_dict(*trained())});
  config.init = pth.string();
  EXPECT_THAT(open(config, text::Units(std::vector<std::string>{"A", "B"})),
              HasSubstr("other units (6) than"));
  weights::TensorFile encoder;
  for (const auto& [name, tensor] : nn::state_dict(*trained()->encoder))
    encoder.tensors.emplace_back("encoder." + name, tensor);
  config.init = write(encoder).string();
  EXPECT_THAT(open(config, kUnits), HasSubstr("has no CTC head, and model.init_parts=all"));
}

TEST_F(RecognizerStarts, LeavesAMaskTokenBehind) {
  auto with_token = tiny_config();
  with_token.encoder.mask_token = true;
  const auto source = trained(with_token);
  weights::TensorFile file;
  for (const auto& [name, tensor] : nn::state_dict(*source->encoder))
    file.tensors.emplace_back("encoder." + name, tensor);
  auto recognizer = started(tiny_config(), write(file));
  EXPECT_TRUE(torch::equal(recognizer->encoder->named_parameters()["embed.0.weight"],
                           source->encoder->named_parameters()["embed.linear.weight"]));
}

TEST_F(RecognizerStarts, NamesTheFirstThatDoNotFitAndCountsTheOthers) {
  auto larger = tiny_config();
  larger.encoder.blocks = 5;
  larger.encoder.ffn_dim = 20;
  const auto file = write(trained(larger));
  const auto message = problem([&] { started(tiny_config(), file); });
  EXPECT_THAT(message, HasSubstr("other shape encoder.encoders.0.feed_forward.w_1.weight: (20, 8) "
                                 "in the file, (12, 8) in the model"));
  EXPECT_THAT(message, HasSubstr("\n  other shape and 5 more"));
  EXPECT_THAT(message, HasSubstr("\n  unexpected  encoder.encoders.3."));
  EXPECT_THAT(message, HasSubstr(" more\nmodel.encoder.* and model.video_frontend.* must be"));
  EXPECT_LT(std::ranges::count(message, '\n'), 15);
}

}  // namespace
}  // namespace raven::artifacts
