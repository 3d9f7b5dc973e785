// What `raven finetune`, `raven evaluate` and `raven report` say to input that cannot be used.
#include <algorithm>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "e2e/tiny_recognizers.h"
#include "raven/media/media_writer.h"
#include "raven/weights/safetensors.h"

namespace raven {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class BadInput : public TinyRecognizers {
 protected:
  static void SetUpTestSuite() {
    TinyRecognizers::SetUpTestSuite();
    models_ = new TemporaryFolder;
  }
  static void TearDownTestSuite() {
    delete models_;
    models_ = nullptr;
    TinyRecognizers::TearDownTestSuite();
  }

  /// The recognizer of a modality, trained once for all tests.
  fs::path recognizer_of(const std::string& modality) const {
    const auto file = models_->path() / (modality + ".safetensors");
    if (!fs::exists(file)) {
      EXPECT_EQ(
          finetune(modality, {"model.modality=" + modality, "train.steps=6", "data.waveform=clip"}),
          0)
          << read_file(log(modality));
      fs::copy_file(folder(modality) / "recognizer.safetensors", file);
    }
    return file;
  }

  int evaluate(const fs::path& model, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {"evaluate",
                                      "device=cpu",
                                      "threads=1",
                                      "decode.beam_size=3",
                                      "model=" + model.string(),
                                      "data.manifest=" + test(),
                                      "out=" + folder("out").string()};
    words.insert(words.end(), more.begin(), more.end());
    return raven("evaluate", words);
  }
  [[nodiscard]] std::string said(const std::string& name = "evaluate") const {
    return read_file(log(name));
  }

  /// A list like the test set's, changed; its name.
  template <class Change>
  std::string list(const Change& change) const {
    auto manifest = data::read_manifest(test());
    manifest.file = folder("changed.tsv");
    change(manifest);
    data::write_manifest(manifest);
    return manifest.file.string();
  }
  std::string write(const std::string& name, const std::string& content) const {
    write_file_atomically(folder(name), content);
    return folder(name).string();
  }

  static inline TemporaryFolder* models_ = nullptr;
};

TEST_F(BadInput, TrainingSaysWhatIsWrongWithItsSettings) {
  EXPECT_EQ(finetune("a", {"text.model=/none.model"}), 2);
  EXPECT_THAT(said("a"), HasSubstr("/none.model"));
  EXPECT_EQ(finetune("b", {"data.labelled_hours=5"}), 2);
  EXPECT_THAT(said("b"), HasSubstr("data.labelled_hours asks for 5"));
  EXPECT_NE(finetune("c", {"model.init=" + temporary_.path().string()}), 0);
  EXPECT_FALSE(fs::exists(folder("b")));
}

TEST_F(BadInput, PosteriorsThatAreNoNumbers) {
  auto content = weights::read_safetensors(recognizer_of("video"));
  for (const std::string name : {"ctc.ctc_lo.bias", "decoder.output_layer.bias"}) {
    auto broken = content;
    for (auto& [key, tensor] : broken.tensors) {
      if (key == name) tensor = torch::full_like(tensor, std::numeric_limits<float>::quiet_NaN());
    }
    const auto file = folder("nan.safetensors");
    weights::write_safetensors(file, broken);
    for (const std::string kind : {"hybrid", "attention", "greedy_ctc"}) {
      const bool used = kind == "hybrid" || (kind == "attention") == (name[0] == 'd');
      EXPECT_EQ(evaluate(file, {"decode.kind=" + kind}), used ? 1 : 0) << name << " " << kind;
      if (used) EXPECT_THAT(said(), HasSubstr("': the scores of its units are not numbers (NaN)"));
      fs::remove_all(folder("out"));
    }
  }
}

TEST_F(BadInput, ClipsWithoutFrames) {
  auto listed = read_file(list([](auto&) {}));
  const auto at = listed.find("\t", listed.find("clip0.wav"));
  listed.replace(at + 1, listed.find("\t", at + 1) - at - 1, "0");
  EXPECT_EQ(evaluate(recognizer_of("video"), {"data.manifest=" + write("zero.tsv", listed)}), 1);
  EXPECT_THAT(said(), HasSubstr("zero.tsv:2: frames is '0', expected a whole number from 1"));
  EXPECT_EQ(finetune("run", {"data.manifest=" + folder("zero.tsv").string()}), 1);
  EXPECT_THAT(said("run"), HasSubstr("zero.tsv:2: frames is '0'"));
  // Listed with frames, but the files have none: counted, the others are scored.
  for (const std::string modality : {"video", "audio"}) {
    const auto empty = list([&](auto& manifest) {
      manifest.utterances[1].video.file = write("empty.mp4", "");
      manifest.utterances[1].audio.file = write("empty.wav", media::encode_wav({}));
    });
    ASSERT_EQ(evaluate(recognizer_of(modality), {"data.manifest=" + empty}), 0) << said();
    const auto rates = nlohmann::json::parse(read_file(folder("out") / "changed" / "wer.json"));
    EXPECT_EQ(rates.at("utterances"), 11) << modality;
    EXPECT_EQ(rates.at("skipped").size(), 1) << modality;
    fs::remove_all(folder("out"));
  }
}

TEST_F(BadInput, LimitsThatAllowNothing) {
  EXPECT_EQ(evaluate(recognizer_of("video"), {"decode.max_length_ratio=-0.5"}), 2);
  EXPECT_THAT(said(), HasSubstr("decode.max_length_ratio is -0.5, which allows no unit at all"));
  EXPECT_EQ(evaluate(recognizer_of("video"), {"decode.beam_size=0"}), 2);
  EXPECT_THAT(said(),
              HasSubstr("decode.beam_size=0, expected a whole number, a value in [1, 10000]"));
  EXPECT_FALSE(fs::exists(folder("out")));
}

TEST_F(BadInput, EncodersOfOtherShapesOrModality) {
  EXPECT_EQ(finetune("other", {"model.init=" + recognizer_of("audio").string()}), 1);
  EXPECT_THAT(said("other"), HasSubstr("holds an encoder of audio, expected one of video"));
  EXPECT_EQ(finetune("wide", {"model.init=" + recognizer_of("video").string(),
                              "model.encoder.ffn_dim=48", "model.encoder.blocks=2"}),
            1);
  EXPECT_THAT(said("wide"),
              HasSubstr("other shape encoder.encoders.0.feed_forward.w_1.weight: (32, 16) in the "
                        "file, (48, 16) in the model"));
  EXPECT_THAT(said("wide"), HasSubstr("missing     encoder.encoders.1."));
  // Nothing but the tensors tells the modality: the first names of each kind are listed, and how
  // many more there are.
  auto bare = weights::read_safetensors(recognizer_of("audio"));
  bare.metadata.clear();
  weights::write_safetensors(folder("bare.safetensors"), bare);
  EXPECT_EQ(finetune("bare", {"model.init=" + folder("bare.safetensors").string()}), 1);
  const auto names = [](const weights::TensorFile& file) {
    std::set<std::string> found;
    for (const auto& [name, tensor] : file.tensors) {
      if (name.starts_with("encoder.") && !name.starts_with("encoder.after_norm."))
        found.insert(name);
    }
    return found;
  };
  const auto heard = names(bare), seen = names(weights::read_safetensors(recognizer_of("video")));
  const auto expect_said = [&](const std::string& kind, const std::set<std::string>& all,
                               const std::set<std::string>& others) {
    std::set<std::string> expected;
    std::ranges::set_difference(all, others, std::inserter(expected, expected.end()));
    std::size_t listed = 0, more = 0;
    std::istringstream lines(said("bare"));
    for (std::string word, name; lines >> word;) {
      if (word != kind || !(lines >> name)) continue;
      if (name == "and")
        lines >> more;
      else
        listed += expected.count(name);
    }
    EXPECT_EQ(listed, 4U) << kind;
    EXPECT_EQ(listed + more, expected.size()) << kind;
  };
  expect_said("missing", seen, heard);
  expect_said("unexpected", heard, seen);
  // A recognizer whose tensors are not those that it says.
  auto lying = weights::read_safetensors(recognizer_of("video"));
  lying.metadata["modality"] = "audio";
  weights::write_safetensors(folder("lying.safetensors"), lying);
  EXPECT_EQ(evaluate(folder("lying.safetensors")), 1);
  EXPECT_THAT(said(), HasSubstr("  missing     encoder.frontend."));
  EXPECT_THAT(said(), HasSubstr("  unexpected  encoder.frontend."));
  EXPECT_EQ(evaluate(folder("bare.safetensors")), 1);
  EXPECT_THAT(said(), HasSubstr("says no 'units' of itself"));
}

/// They would ask for terabytes before a tensor was compared.
TEST_F(BadInput, RecognizersThatSayTheyAreLargerThanTheyAre) {
  for (const std::string setting :
       {"model.encoder.ffn_dim=2000000000", "model.encoder.blocks=2000000000",
        "model.decoder.ffn_dim=2000000000", "model.decoder.blocks=2000000000",
        "model.video_frontend.widths=[4, 4, 8, 2000000]"}) {
    SCOPED_TRACE(setting);
    auto file = weights::read_safetensors(recognizer_of("video"));
    const auto equals = setting.find('=');
    file.metadata[setting.substr(0, equals)] = setting.substr(equals + 1);
    const auto lying = folder("lying.safetensors");
    weights::write_safetensors(lying, file);
    EXPECT_EQ(evaluate(lying), 1) << said();
    EXPECT_THAT(said(), HasSubstr("lying.safetensors"));
  }
}

TEST_F(BadInput, UnitsFilesWithHolesOrDuplicates) {
  const auto refusal = [&](const std::string& content) {
    EXPECT_EQ(finetune("run", {"text.model=", "text.units=" + write("units.txt", content)}), 1);
    return said("run");
  };
  EXPECT_THAT(refusal("<unk> 1\nA 2\nB 4\n"), HasSubstr("units.txt:3: "));
  EXPECT_THAT(refusal("<unk> 1\nA 2\nA 3\n"), HasSubstr("'A'"));
  EXPECT_THAT(refusal("<unk> 1\nA 2\nB 2\n"), HasSubstr("units.txt:3: "));
  EXPECT_THAT(refusal(""), HasSubstr("lists no pieces"));
  EXPECT_EQ(finetune("run", {"text.model=", "text.units=/none.txt"}), 2);
}

TEST_F(BadInput, LabelsOutsideTheVocabulary) {
  const auto labels = write("list.csv", "test,clip0.avi,12,2 3\ntest,clip1.avi,12,2 977\n");
  EXPECT_EQ(finetune("run", {"data.manifest=" + labels}), 1);
  EXPECT_THAT(said("run"), HasSubstr("has label 977, but the vocabulary has units 1 to "));
  EXPECT_EQ(evaluate(recognizer_of("video"), {"data.manifest=" + labels}), 1);
  EXPECT_THAT(said(), HasSubstr("has label 977, but the vocabulary has units 1 to "));
  EXPECT_FALSE(fs::exists(folder("out")));
  write("list.csv", "test,clip0.avi,12,2 x\n");
  EXPECT_EQ(evaluate(recognizer_of("video"), {"data.manifest=" + labels}), 1);
  EXPECT_THAT(said(), HasSubstr("has label 'x', expected unit ids"));
}

TEST_F(BadInput, LabelsThatAreLongerThanTheFrames) {
  const auto crowded = list([](auto& manifest) {
    for (int i = 0; i < 30; ++i) manifest.utterances[0].text += " RED";
  });
  ASSERT_EQ(finetune("run", {"data.manifest=" + crowded, "train.steps=6"}), 0) << said("run");
  EXPECT_THAT(said("run"), HasSubstr("1 of 12 utterances have more units than frames"));
  EXPECT_THAT(said("run"), Not(HasSubstr("nan")));
  ASSERT_EQ(evaluate(recognizer_of("video"), {"data.manifest=" + crowded}), 0) << said();
}

TEST_F(BadInput, EmptyTranscripts) {
  const auto one = list([](auto& manifest) { manifest.utterances[2].text = "..."; });
  ASSERT_EQ(finetune("one", {"data.manifest=" + one, "train.steps=6"}), 0) << said("one");
  EXPECT_THAT(read_file(folder("one") / "skipped.tsv"), HasSubstr("clip2\tno-text\t"));
  ASSERT_EQ(evaluate(recognizer_of("video"), {"data.manifest=" + one}), 0) << said();
  EXPECT_THAT(said(), HasSubstr("1 utterances skipped: empty-reference"));
  const auto all = list([](auto& manifest) {
    for (auto& utterance : manifest.utterances) utterance.text = "";
  });
  EXPECT_EQ(finetune("all", {"data.manifest=" + all}), 2);
  EXPECT_THAT(said("all"), HasSubstr("no utterance has a usable transcript"));
  EXPECT_EQ(evaluate(recognizer_of("video"), {"data.manifest=" + all}), 0);
  EXPECT_THAT(said(), HasSubstr("12 utterances; none has a transcript"));
  EXPECT_FALSE(fs::exists(folder("out") / "all" / "wer.json"));
}

TEST_F(BadInput, NoiseThatCannotBeMixed) {
  const auto audio = recognizer_of("audio");
  const auto noise = [&](const fs::path& model, const std::vector<std::string>& more) {
    auto words = more;
    words.insert(words.begin(), {"noise.kind=file", "noise.snr_db=0"});
    EXPECT_EQ(evaluate(model, words), 2);
    EXPECT_FALSE(fs::exists(folder("out")));
    return said();
  };
  EXPECT_THAT(noise(audio, {}), HasSubstr("noise.file is empty, expected a recording"));
  EXPECT_THAT(noise(audio, {"noise.file=/none.wav"}), HasSubstr("/none.wav: no such file"));
  const auto brief = write("brief.wav", media::encode_wav(std::vector<float>(8000, 0.25F)));
  EXPECT_THAT(noise(audio, {"noise.file=" + brief}), HasSubstr("lasts 0.50 s, expected at least"));
  const auto silent = write("silent.wav", media::encode_wav(std::vector<float>(20000, 0.0F)));
  EXPECT_THAT(noise(audio, {"noise.file=" + silent}),
              HasSubstr("cannot serve as noise, it is sil"));
  const auto hum = write("hum.wav", media::encode_wav(std::vector<float>(20000, 0.25F)));
  EXPECT_THAT(noise(audio, {"noise.file=" + hum, "noise.snr_db=[5,5]"}),
              HasSubstr("noise.snr_db lists 5 twice"));
  EXPECT_THAT(noise(audio, {"noise.file=" + hum, "noise.snr_db=[]"}),
              HasSubstr("noise.snr_db is an empty list"));
  EXPECT_THAT(noise(recognizer_of("video"), {"noise.file=" + hum}),
              HasSubstr("reads lips and hears nothing"));
  const auto text = write("text.wav", "no sound");
  EXPECT_EQ(evaluate(audio, {"noise.kind=file", "noise.file=" + text}), 1);
  EXPECT_THAT(said(), HasSubstr("text.wav"));
  EXPECT_EQ(evaluate(audio, {"noise.kind=file", "noise.file=" + hum, "noise.snr_db=0"}), 0)
      << said();
  EXPECT_TRUE(fs::exists(folder("out") / "manifest@hum_0dB" / "wer.json"));
}

TEST_F(BadInput, MarkupInAHypothesisStaysText) {
  ASSERT_EQ(finetune("run", {"train.steps=6"}), 0) << said("run");
  const std::string attack = "<script>alert(1)</script>";
  const auto references = write("ref.txt", "u RED GREEN BLUE\n");
  const auto hypotheses = write("hyp.txt", "u RED " + attack + " \"'></textarea>\n");
  for (const bool as_is : {false, true}) {
    std::vector<std::string> words = {"score", references, hypotheses, "--out",
                                      (folder("run") / "evaluate" / "test").string()};
    if (as_is) words.emplace_back("--as-is");
    ASSERT_EQ(raven("score", words), 0) << said("score");
    ASSERT_EQ(raven("report", {"report", folder("run").string()}), 0) << said("report");
    const auto html = read_file(folder("run") / "report.html");
    EXPECT_THAT(html, Not(HasSubstr("<script>alert")));
    EXPECT_THAT(html, Not(HasSubstr("</textarea>")));
    if (as_is) EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(1)&lt;"));
  }
}

}  // namespace
}  // namespace raven
