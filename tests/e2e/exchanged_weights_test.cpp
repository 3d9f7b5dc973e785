// Models that leave raven as files of PyTorch and come back, and published ones: used by the
// commands themselves.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "e2e/finetune_fixture.h"
#include "raven/text/units.h"
#include "raven/weights/pytorch_writer.h"
#include "raven/weights/safetensors.h"
#include "support/golden_recognizer.h"
#include "support/parity.h"

namespace raven {
namespace {

using testing::HasSubstr;

class ExchangedWeights : public Finetune {
 protected:
  [[nodiscard]] std::string file(const std::string& name) const { return folder(name).string(); }

  /// Exit code; what it printed goes to log(words[0]).
  [[nodiscard]] int raven(std::vector<std::string> words) const {
    const auto to = log(words.front());
    words.insert(words.begin(), kRaven);
    return Process(words, to).wait();
  }

  /// The files that an evaluation writes, one after another, without the name of the weights.
  [[nodiscard]] std::string evaluated(const std::string& model, const std::string& name,
                                      const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {
        "evaluate",          "device=cpu",
        "threads=1",         "model=" + model,
        "out=" + file(name), "data.manifest=" + (corpus_->path() / "test/manifest.tsv").string()};
    words.insert(words.end(), more.begin(), more.end());
    EXPECT_EQ(raven(words), 0) << read_file(log("evaluate"));
    std::string bytes;
    for (const char* part : {"hyp.trn", "utterances.jsonl"})
      bytes += read_file(folder(name) / "manifest" / part);
    auto wer = nlohmann::ordered_json::parse(read_file(folder(name) / "manifest/wer.json"));
    EXPECT_EQ(wer.erase("model"), 1U);
    return bytes + wer.dump(2);
  }

  /// Inputs as published: what an imported file stands for.
  const std::vector<std::string> published_input_ = {"data.video.shrink=1", "data.video.crop=88"};
};

TEST_F(ExchangedWeights, ARecognizerDecodesTheSameAfterEachWayOut) {
  ASSERT_EQ(finetune("run", published_input_), 0) << read_file(log("run"));
  for (const std::string name : {"a.pth", "a.safetensors", "a.npz"}) {
    ASSERT_EQ(raven({"export", file("run"), file(name)}), 0) << read_file(log("export"));
  }
  const auto expected = evaluated(file("run"), "of_run", {"decode.beam_size=4"});
  EXPECT_EQ(read_file(log("evaluate")).find("luma"), std::string::npos);
  EXPECT_EQ(evaluated(file("a.safetensors"), "of_safetensors", {"decode.beam_size=4"}), expected);
  EXPECT_EQ(evaluated(file("a.pth"), "of_pth", {"decode.beam_size=4"}), expected);
  ASSERT_EQ(raven({"import", file("a.pth"), file("back.safetensors")}), 0)
      << read_file(log("import"));
  EXPECT_EQ(evaluated(file("back.safetensors"), "of_back", {"decode.beam_size=4"}), expected);
  EXPECT_EQ(raven({"inspect", file("back.safetensors"), file("run/recognizer.safetensors")}), 0)
      << read_file(log("inspect"));
  fs::remove(file("a.units.txt"));
  EXPECT_EQ(raven({"evaluate", "device=cpu", "model=" + file("a.pth"),
                   "data.manifest=" + (corpus_->path() / "test/manifest.tsv").string()}),
            1);
  EXPECT_THAT(read_file(log("evaluate")), HasSubstr("put its units file beside it as a.units.txt"));
}

TEST_F(ExchangedWeights, FineTuningStartsFromAnEncoderInAnyFormat) {
  ASSERT_EQ(finetune("run"), 0) << read_file(log("run"));
  const auto from = [&](const std::string& init, const std::string& run) {
    EXPECT_EQ(finetune(run, {"train.steps=4", "run.seed=5", "model.init=" + init}), 0)
        << read_file(log(run));
    // What it says of itself names the file that it started from.
    return weights::read_safetensors_metadata(folder(run) / "recognizer.safetensors")
        .at(weights::kTensorHashes);
  };
  const auto expected = from(file("run"), "from_run");
  for (const std::string name : {"e.safetensors", "e.pth"}) {
    ASSERT_EQ(raven({"export", file("run"), file(name), "--part", "encoder"}), 0)
        << read_file(log("export"));
    EXPECT_EQ(from(file(name), "from_" + name), expected) << name;
  }
  ASSERT_EQ(raven({"import", file("e.pth"), file("imported.safetensors")}), 0);
  EXPECT_EQ(from(file("imported.safetensors"), "from_import"), expected);
}

TEST_F(ExchangedWeights, APublishedRecognizerIsImportedEvaluatedAndFineTuned) {
  const auto golden = parity::json("recognizers.json");
  auto published =
      golden::recognizer(parity::cases(golden).at("video_equal_eval"), golden.at("salt"));
  weights::write_pytorch_archive(file("published.pth"), {.tensors = nn::state_dict(*published)});
  std::vector<std::string> pieces;
  for (int i = 2; i < 40; ++i) {
    pieces.push_back(std::string(text::kWordStart) + static_cast<char>('A' + i % 26) +
                     std::to_string(i));
  }
  write_file_atomically(file("published.units"), text::Units(pieces).text());
  ASSERT_EQ(raven({"import", file("published.pth"), file("weights/"), "--units",
                   file("published.units"), "--licence", "as told in a test"}),
            0)
      << read_file(log("import"));
  EXPECT_THAT(read_file(log("import")), HasSubstr("fine-tuned recognizer of video (64 wide"));
  const auto imported = file("weights/recognizer.safetensors");
  // The same again is the same file; another model does not replace it.
  EXPECT_EQ(raven({"import", file("published.pth"), file("weights/")}), 0);
  auto changed = nn::state_dict(*published);
  changed.front().second = changed.front().second + 1;
  weights::write_pytorch_archive(file("another.pth"), {.tensors = changed});
  EXPECT_EQ(raven({"import", file("another.pth"), file("weights/")}), 2);
  EXPECT_THAT(read_file(log("import")), HasSubstr("is there already, made of published.pth"));
  ASSERT_EQ(raven({"import", file("published.pth"), file("weights/"), "--units",
                   file("published.units")}),
            0);
  const auto results = evaluated(imported, "evaluated");
  EXPECT_THAT(read_file(log("evaluate")), HasSubstr("12 of 12 clips are luma"));
  const auto wer = nlohmann::json::parse(read_file(folder("evaluated") / "manifest/wer.json"));
  EXPECT_EQ(wer.at("utterances"), 12);
  // The settings of the file hold unless others are given.
  EXPECT_EQ(evaluated(imported, "said_again", {"decode.beam_size=40", "decode.ctc_weight=0.1"}),
            results);
  EXPECT_EQ(
      finetune("tuned", {"model.init=" + imported, "train.steps=4", "model.encoder.dim=64",
                         "model.encoder.heads=2", "model.encoder.ffn_dim=128",
                         "model.encoder.blocks=2", "model.video_frontend.widths=[64,128,256,512]",
                         published_input_[0], published_input_[1]}),
      0)
      << read_file(log("tuned"));
  EXPECT_THAT(read_file(log("tuned")), HasSubstr("12 of 12 clips are luma"));
  EXPECT_NE(
      finetune("other_size", {"model.init=" + imported, published_input_[0], published_input_[1]}),
      0);
  EXPECT_THAT(read_file(log("other_size")), HasSubstr("does not fit this model"));
}

}  // namespace
}  // namespace raven
