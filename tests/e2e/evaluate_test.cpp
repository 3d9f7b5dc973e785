// `raven evaluate` itself: what it repeats, goes on with, mixes in and shows.
#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "e2e/tiny_recognizers.h"
#include "raven/config/flat_config.h"
#include "raven/evaluation/nbest_list.h"
#include "raven/models/language_model.h"
#include "raven/nn/state_dict.h"
#include "raven/text/units.h"
#include "raven/weights/safetensors.h"
#include "support/open_count.h"
#include "support/sclite.h"

namespace raven {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class Evaluate : public TinyRecognizers {
 protected:
  static void SetUpTestSuite() {
    TinyRecognizers::SetUpTestSuite();
    runs_ = new TemporaryFolder;
  }
  static void TearDownTestSuite() {
    delete runs_;
    runs_ = nullptr;
    TinyRecognizers::TearDownTestSuite();
  }

  /// The recognizer of a modality, trained once for all tests.
  std::string recognizer_of(const std::string& modality) const {
    const auto file = runs_->path() / (modality + ".safetensors");
    if (fs::exists(file)) return file.string();
    EXPECT_EQ(finetune(modality, {"model.modality=" + modality, "data.waveform=clip"}), 0)
        << read_file(log(modality));
    fs::copy_file(folder(modality) / "recognizer.safetensors", file);
    return file.string();
  }

  std::vector<std::string> command_to(const std::string& out, const std::string& modality,
                                      const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {kRaven,
                                      "evaluate",
                                      "device=cpu",
                                      "threads=1",
                                      "data.max_frames=50",
                                      "decode.beam_size=4",
                                      "model=" + recognizer_of(modality),
                                      "data.manifest=" + test(),
                                      "out=" + folder(out).string()};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  int evaluate(const std::string& out, const std::string& modality,
               const std::vector<std::string>& more = {}) const {
    return Process(command_to(out, modality, more), log(out)).wait();
  }

  /// All files of the results below a folder, by name, but for what is kept to go on from.
  [[nodiscard]] std::map<std::string, std::string> results(const std::string& out) const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder(out))) {
      const auto name = fs::relative(entry.path(), folder(out)).string();
      const auto file = entry.path().filename();
      if (entry.is_regular_file() && file != "decoded.jsonl" && file != ".lock")
        files[name] = read_file(entry.path());
    }
    return files;
  }

  [[nodiscard]] std::vector<nlohmann::json> utterances(const fs::path& results) const {
    std::istringstream lines(read_file(folder("") / results / "utterances.jsonl"));
    std::vector<nlohmann::json> utterances;
    for (std::string line; std::getline(lines, line);)
      utterances.push_back(nlohmann::json::parse(line));
    return utterances;
  }

  static inline TemporaryFolder* runs_ = nullptr;
};

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells(1);
  for (const char c : line) {
    if (c == '\t') {
      cells.emplace_back();
    } else {
      cells.back() += c;
    }
  }
  return cells;
}

std::size_t column_of(const std::string& header, const std::string& name) {
  const auto cells = cells_of(header);
  return static_cast<std::size_t>(std::ranges::find(cells, name) - cells.begin());
}

const std::vector<std::string> kTwoLevels = {"noise.kind=white", "noise.snr_db=[0,10]"};

TEST_F(Evaluate, IsSharedByRanks) {
  auto manifest = data::read_manifest(test());
  auto lost = manifest.utterances.front();
  lost.id += "_lost";
  lost.audio = lost.video = {.file = fs::path(test()).parent_path() / "gone.mp4", .member = ""};
  manifest.utterances.insert(manifest.utterances.begin() + 1, lost);
  manifest.file = fs::path(test()).parent_path() / "with_a_lost_one.tsv";
  data::write_manifest(manifest);
  const std::vector<std::string> settings = {"data.manifest=" + manifest.file.string(),
                                             "decode.nbest=2", "data.max_frames=30"};
  const auto with = [&](const char* ranks) {
    auto words = settings;
    words.emplace_back(ranks);
    return words;
  };
  ASSERT_EQ(evaluate("alone", "video", settings), 0) << read_file(log("alone")).substr(0, 500);
  const auto decoded = fs::path("with_a_lost_one") / "decoded.jsonl";
  for (const auto* ranks : {"ranks=2", "ranks=4"}) {
    ASSERT_EQ(evaluate(ranks, "video", with(ranks)), 0) << read_file(log(ranks)).substr(0, 500);
    EXPECT_TRUE(results(ranks) == results("alone")) << ranks;
    EXPECT_TRUE(read_file(folder(ranks) / decoded) == read_file(folder("alone") / decoded));
  }
  EXPECT_EQ(evaluate("none", "video", {settings[0], "ranks=2", "data.max_skipped=0"}), 3)
      << read_file(log("none"));
}

/// Rank 1 is killed while it decodes: the others end as well, and what it had done is not lost.
TEST_F(Evaluate, OfRanksGoesOnAfterAKill) {
  const std::vector<std::string> settings = {"data.max_frames=1", "decode.beam_size=40"};
  ASSERT_EQ(evaluate("alone", "video", settings), 0) << read_file(log("alone")).substr(0, 500);
  const auto rank = [&](int number) {
    std::vector<std::string> words = {"/usr/bin/env", "RANK=" + std::to_string(number),
                                      "WORLD_SIZE=2", "MASTER_ADDR=127.0.0.1",
                                      "MASTER_PORT=" + std::to_string(20000 + ::getpid() % 20000)};
    const auto rest = command_to("killed", "video", settings);
    words.insert(words.end(), rest.begin(), rest.end());
    words.emplace_back("distributed.lost_s=3");
    return words;
  };
  Process first(rank(0), log("killed_0")), second(rank(1), log("killed_1"));
  const auto part = folder("killed") / "manifest" / "decoded.rank_1.jsonl";
  const auto lines = [&] {
    if (!fs::exists(part)) return std::ptrdiff_t{0};
    const auto text = read_file(part);
    return std::count(text.begin(), text.end(), '\n');
  };
  for (int i = 0; i < 3000 && lines() < 2; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  second.signal(SIGKILL);
  second.wait();
  EXPECT_EQ(first.wait(), 75) << read_file(log("killed_0")).substr(0, 500);
  ASSERT_EQ(evaluate("killed", "video", settings), 0) << read_file(log("killed")).substr(0, 500);
  EXPECT_FALSE(fs::exists(part));
  EXPECT_TRUE(results("killed") == results("alone"));
}

TEST_F(Evaluate, WritesTheSameBytesAtEveryRunForAnyNumberOfWorkers) {
  for (const auto& [modality, more] :
       std::map<std::string, std::vector<std::string>>{{"video", {}}, {"audio", kTwoLevels}}) {
    ASSERT_EQ(evaluate(modality + "1", modality, more), 0) << read_file(log(modality + "1"));
    auto other = more;
    other.insert(other.end(), {"data.workers=0"});
    ASSERT_EQ(evaluate(modality + "2", modality, other), 0);
    EXPECT_GE(results(modality + "1").size(), 7U);
    EXPECT_EQ(results(modality + "1"), results(modality + "2"));
  }
}

// Of a live run, a second reading could be another checkpoint than that which was checked.
TEST_F(Evaluate, SeveralRecognizersAreReadOnceEach) {
  const auto a = recognizer_of("audio"), b = (folder("") / "other.safetensors").string();
  fs::copy_file(a, b);
  OpenCount of_a(a), of_b(b);
  EXPECT_EQ(evaluate("two", "audio", {"model=[" + a + "," + b + "]"}), 0) << read_file(log("two"));
  EXPECT_EQ(of_a.take(), 1);
  EXPECT_EQ(of_b.take(), 1);
  // At the end one line for each.
  const auto said = read_file(log("two"));
  const auto table = said.substr(std::min(said.size(), said.rfind("\nmodel ")));
  EXPECT_THAT(table, testing::MatchesRegex("\nmodel +set +utterances +words +WER % +CER %\n[^\n]*"
                                           "audio.safetensors +manifest +12 +24 [^\n]*\n[^\n]*"
                                           "other.safetensors +manifest +12 +24 [^\n]*\n"));
}

/// A recognizer of few steps says nothing at all otherwise.
const std::string kWordy = "decode.length_bonus=2";

TEST_F(Evaluate, UtterancesWithoutATranscriptAreDecodedAndNotScored) {
  const auto list = [&](const std::string& name, std::size_t labelled) {
    std::istringstream lines(read_file(test()));
    std::string line, out;
    std::getline(lines, line);
    const auto text = column_of(line, "text");
    out = line + "\n";
    for (std::size_t row = 0; std::getline(lines, line); ++row) {
      auto cells = cells_of(line);
      if (row >= labelled) cells[text].clear();
      out += fmt::format("{}\n", fmt::join(cells, "\t"));
    }
    const auto file = fs::path(test()).parent_path() / (name + ".tsv");
    write_file_atomically(file, out);
    return file.string();
  };
  ASSERT_EQ(evaluate("all", "audio", {kWordy}), 0);
  // Nothing of a result with rates stays beside one without.
  ASSERT_EQ(evaluate("partly", "audio", {kWordy, "data.manifest=" + list("none", 12)}), 0);
  EXPECT_TRUE(fs::exists(folder("partly") / "none" / "attention.json"));
  EXPECT_TRUE(fs::exists(folder("partly") / "none" / "worst"));
  const auto some = list("some", 5), none = list("none", 0);
  ASSERT_EQ(evaluate("partly", "audio",
                     {kWordy, "data.manifest=[" + some + "," + none + "]", "--replace"}),
            0)
      << read_file(log("partly"));
  const auto all = read_file(folder("all") / "manifest" / "hyp.trn");
  const auto lines_of = [](const std::string& text) { return std::ranges::count(text, '\n'); };
  for (const std::string set : {"some", "none"}) {
    const auto hypotheses = read_file(folder("partly") / set / "hyp.trn");
    EXPECT_EQ(lines_of(hypotheses), 12) << set;
    std::istringstream expected(all);
    for (std::string line; std::getline(expected, line);) EXPECT_THAT(hypotheses, HasSubstr(line));
    EXPECT_EQ(lines_of(read_file(folder("partly") / set / "recognised.tsv")), 13) << set;
  }
  EXPECT_EQ(utterances("partly/some").size(), 5U);
  for (const std::string file : {"wer.json", "attention.json", "worst", "utterances.jsonl"})
    EXPECT_FALSE(fs::exists(folder("partly") / "none" / file)) << file;
  EXPECT_THAT(read_file(log("partly")), HasSubstr("12 utterances; none has a transcript"));
  std::istringstream recognised(read_file(folder("partly") / "none" / "recognised.tsv"));
  std::string line;
  std::getline(recognised, line);
  const auto text = column_of(line, "text"), id = column_of(line, "id");
  int said = 0;
  while (std::getline(recognised, line)) {
    const auto cells = cells_of(line);
    const std::string words = cells[text].empty() ? "" : cells[text] + " ";
    EXPECT_THAT("\n" + all, HasSubstr("\n" + words + "(")) << cells[id];
    said += static_cast<int>(!words.empty());
  }
  EXPECT_GT(said, 6) << "a recognizer that says nothing tests nothing";
  // Once it is done it decodes nothing, although there are no rates.
  ASSERT_EQ(evaluate("partly", "audio", {kWordy, "data.manifest=[" + some + "," + none + "]"}), 0);
  EXPECT_THAT(read_file(log("partly")), HasSubstr("none: was decoded before"));
}

TEST_F(Evaluate, ALanguageModelAndListsOfHypotheses) {
  const auto recognizer = weights::read_safetensors(recognizer_of("audio"));
  const config::LanguageModelConfig options{
      .embed_dim = 4, .dim = 8, .heads = 2, .ffn_dim = 12, .blocks = 1};
  const auto units = text::Units::parse(recognizer.metadata.at("units"), "units");
  torch::manual_seed(5);
  const models::LanguageModel model(options, units.size());
  weights::TensorFile content;
  content.metadata = config::flatten(options, "model.");
  content.metadata["format"] = "raven-language-model";
  content.metadata["format_version"] = "1";
  content.metadata["units"] = units.text();
  for (const auto& [name, tensor] : nn::state_dict(*model))
    content.tensors.emplace_back(name, 3 * tensor.detach());
  const auto file = (folder("") / "lm.safetensors").string();
  weights::write_safetensors(file, content, {.hashes = true});

  ASSERT_EQ(evaluate("plain", "audio", {kWordy, "decode.nbest=3"}), 0) << read_file(log("plain"));
  ASSERT_EQ(evaluate("lm", "audio",
                     {kWordy, "decode.nbest=3", "decode.lm=" + file, "decode.lm_weight=0.5"}),
            0)
      << read_file(log("lm"));
  const auto plain = evaluation::read_nbest(folder("plain") / "manifest" / "nbest.jsonl");
  const auto with = evaluation::read_nbest(folder("lm") / "manifest" / "nbest.jsonl");
  ASSERT_EQ(plain.size(), 12U);
  ASSERT_EQ(with.size(), 12U);
  EXPECT_NE(read_file(folder("plain") / "manifest" / "hyp.trn"),
            read_file(folder("lm") / "manifest" / "hyp.trn"));
  for (const auto& list : with) {
    ASSERT_FALSE(list.alternatives.empty());
    EXPECT_LE(list.alternatives.size(), 3U);
    for (const auto& one : list.alternatives) {
      const auto& parts = one.parts;
      EXPECT_NEAR(one.score,
                  0.9 * parts.at("decoder") + 0.1 * parts.at("ctc") + 0.5 * parts.at("lm") +
                      2 * parts.at("length_bonus"),
                  1e-3 * std::max(1.0, std::abs(one.score)));
    }
  }
  ASSERT_EQ(raven("score", {"score", (folder("lm") / "manifest" / "ref.trn").string(),
                            (folder("lm") / "manifest" / "nbest.jsonl").string(), "--json"}),
            0)
      << read_file(log("score"));
  const auto rates = nlohmann::json::parse(read_file(folder("lm") / "manifest" / "wer.json"));
  EXPECT_EQ(nlohmann::json::parse(read_file(log("score"))).at("oracle"), rates.at("oracle"));
  EXPECT_LE(rates.at("oracle").at("wer"), rates.at("wer"));
  // Another one is another search.
  for (auto& [name, tensor] : content.tensors) tensor = tensor * 0.9;
  weights::write_safetensors(file, content, {.hashes = true});
  ASSERT_EQ(evaluate("lm", "audio",
                     {kWordy, "decode.nbest=3", "decode.lm=" + file, "decode.lm_weight=0.5",
                      "--replace"}),
            0);
  EXPECT_THAT(read_file(log("lm")), HasSubstr("is of another language model"));
  EXPECT_EQ(evaluate("lm", "audio", {"decode.lm=" + file}), 2);
  EXPECT_THAT(read_file(log("lm")), HasSubstr("decode.lm_weight is 0"));
}

TEST_F(Evaluate, EachNoiseLevelIsASetOfItsOwn) {
  ASSERT_EQ(evaluate("out", "audio", kTwoLevels), 0) << read_file(log("out"));
  for (const auto& [set, snr_db] : std::map<std::string, nlohmann::json>{
           {"manifest", nullptr}, {"manifest@white_0dB", 0.0}, {"manifest@white_10dB", 10.0}}) {
    const auto all = utterances(fs::path("out") / set);
    ASSERT_EQ(all.size(), 12U) << set;
    for (const auto& one : all) EXPECT_EQ(one.at("snr_db"), snr_db) << set;
    const auto rates = nlohmann::json::parse(read_file(folder("out") / set / "wer.json"));
    EXPECT_EQ(rates.at("by_snr").at(0).at("snr_db"), snr_db);
  }
  EXPECT_NE(utterances("out/manifest@white_0dB"), utterances("out/manifest@white_10dB"));
  EXPECT_THAT(read_file(log("out")), HasSubstr("\nnoise, audio "));
  ASSERT_EQ(
      evaluate("noisy", "audio", {"noise.kind=white", "noise.snr_db=10", "noise.clean=false"}), 0);
  EXPECT_FALSE(fs::exists(folder("noisy") / "manifest"));
  EXPECT_EQ(read_file(folder("noisy") / "manifest@white_10dB" / "utterances.jsonl"),
            read_file(folder("out") / "manifest@white_10dB" / "utterances.jsonl"));
  ASSERT_EQ(evaluate("seed", "audio", {"noise.kind=white", "noise.snr_db=10", "noise.seed=2"}), 0);
  EXPECT_NE(read_file(folder("seed") / "manifest@white_10dB" / "utterances.jsonl"),
            read_file(folder("out") / "manifest@white_10dB" / "utterances.jsonl"));
}

TEST_F(Evaluate, ScliteCountsTheSameErrorsInNoise) {
  ASSERT_EQ(evaluate("out", "audio", {"noise.kind=pink", "noise.snr_db=5"}), 0);
  const auto set = folder("out") / "manifest@pink_5dB";
  const auto rates = nlohmann::json::parse(read_file(set / "wer.json"));
  const auto counted = run_sclite(set);
  EXPECT_EQ(counted.total.substitutions, rates.at("substitutions"));
  EXPECT_EQ(counted.total.deletions, rates.at("deletions"));
  EXPECT_EQ(counted.total.insertions, rates.at("insertions"));
  EXPECT_EQ(counted.words, rates.at("words"));
  EXPECT_EQ(counted.sentences, rates.at("utterances"));
}

TEST_F(Evaluate, KilledAtAnyMomentItEndsWithTheSameBytes) {
  ASSERT_EQ(evaluate("undisturbed", "audio", kTwoLevels), 0) << read_file(log("undisturbed"));
  for (const int delay_ms : {0, 5, 20, 60}) {
    Process process(command_to("killed", "audio", kTwoLevels), log("killed"));
    for (int i = 0; i < 20000 && !fs::exists(folder("killed") / "manifest" / "decoded.jsonl"); ++i)
      std::this_thread::sleep_for(std::chrono::microseconds(500));
    std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
    process.signal(SIGKILL);
    process.wait();
  }
  ASSERT_EQ(evaluate("killed", "audio", kTwoLevels), 0) << read_file(log("killed"));
  EXPECT_EQ(results("undisturbed"), results("killed"));
}

// A stop between any two bytes leaves a beginning of decoded.jsonl and no results.
TEST_F(Evaluate, GoesOnFromAnyBeginningOfWhatWasDecoded) {
  for (const std::string modality : {"video", "audio"}) {
    const auto whole = modality + "_whole", cut = modality + "_cut";
    ASSERT_EQ(evaluate(whole, modality), 0) << read_file(log(whole));
    const auto decoded = read_file(folder(whole) / "manifest" / "decoded.jsonl");
    ASSERT_EQ(std::ranges::count(decoded, '\n'), 14);  // what it is, 12 utterances, the end
    for (const double share : {0.05, 0.3, 0.55, 0.8, 0.95}) {
      fs::remove_all(folder(cut));
      fs::create_directories(folder(cut) / "manifest");
      write_file_atomically(
          folder(cut) / "manifest" / "decoded.jsonl",
          decoded.substr(0, static_cast<std::size_t>(share * static_cast<double>(decoded.size()))));
      ASSERT_EQ(evaluate(cut, modality), 0) << read_file(log(cut));
      EXPECT_EQ(results(whole), results(cut)) << share;
    }
  }
}

TEST_F(Evaluate, OneThatIsDoneDecodesNothing) {
  ASSERT_EQ(evaluate("out", "video"), 0) << read_file(log("out"));
  const auto set = folder("out") / "manifest";
  const auto before = results("out");
  const auto written = fs::last_write_time(set / "wer.json");
  // Where results go, threads and workers change nothing; where the clips are gone, nothing is
  // read.
  const auto clips = fs::path(test()).parent_path() / "clip0.mp4", away = folder("clip0.mp4");
  fs::rename(clips, away);
  ASSERT_EQ(evaluate("out", "video", {"threads=2", "data.workers=0"}), 0) << read_file(log("out"));
  EXPECT_THAT(read_file(log("out")), HasSubstr("was decoded before"));
  EXPECT_THAT(read_file(log("out")), HasSubstr("manifest/decoded.jsonl"));
  EXPECT_THAT(read_file(log("out")), HasSubstr("95 % interval"));
  EXPECT_EQ(fs::last_write_time(set / "wer.json"), written);
  EXPECT_EQ(results("out"), before);
  // Another interval is worked out from the same hypotheses.
  ASSERT_EQ(evaluate("out", "video", {"scoring.bootstrap=10"}), 0) << read_file(log("out"));
  EXPECT_THAT(read_file(log("out")), HasSubstr("was decoded before"));
  EXPECT_NE(read_file(set / "wer.json"), before.at("manifest/wer.json"));
  EXPECT_EQ(read_file(set / "hyp.trn"), before.at("manifest/hyp.trn"));
  fs::rename(away, clips);
}

TEST_F(Evaluate, AnotherSearchReplacesResultsOnlyWhereAsked) {
  ASSERT_EQ(evaluate("out", "video"), 0) << read_file(log("out"));
  const auto before = results("out");
  EXPECT_EQ(evaluate("out", "video", {"decode.kind=greedy_ctc"}), 2);
  EXPECT_THAT(read_file(log("out")),
              HasSubstr("holds what was decoded with another search (decode.kind hybrid "
                        "there, greedy_ctc here); out="));
  EXPECT_EQ(results("out"), before);
  ASSERT_EQ(evaluate("out", "video", {"decode.kind=greedy_ctc", "--replace"}), 0)
      << read_file(log("out"));
  EXPECT_THAT(read_file(log("out")), HasSubstr("is of another search"));
  EXPECT_THAT(read_file(log("out")), Not(HasSubstr("was decoded before")));
  ASSERT_EQ(evaluate("out", "video", {"--replace"}), 0);
  EXPECT_EQ(results("out"), before);
}

TEST_F(Evaluate, SaysWhichWeightsAndKeepsIt) {
  ASSERT_EQ(finetune("run", {"model.modality=audio"}), 0) << read_file(log("run"));
  const auto evaluate_in = [&](const std::string& model) {
    return raven("evaluate", {"evaluate", "device=cpu", "threads=1", "decode.kind=greedy_ctc",
                              "model=" + model, "data.manifest=" + test()});
  };
  const auto model = [&] {
    return nlohmann::json::parse(read_file(folder("run") / "evaluate" / "manifest" / "wer.json"))
        .at("model");
  };
  ASSERT_EQ(evaluate_in(folder("run").string()), 0) << read_file(log("evaluate"));
  EXPECT_THAT(read_file(log("evaluate")),
              HasSubstr("recognizer.safetensors: step 24 of 24, mean of 3 checkpoints"));
  EXPECT_EQ(model().at("step"), 24);
  EXPECT_EQ(model().at("finished"), true);
  const auto earlier = (folder("run") / "checkpoints" / "step_00000021").string();
  EXPECT_EQ(evaluate_in(earlier), 2);
  EXPECT_THAT(read_file(log("evaluate")), HasSubstr("decoded with another recognizer"));
  EXPECT_EQ(model().at("step"), 24);
  fs::remove_all(folder("run") / "evaluate");
  ASSERT_EQ(evaluate_in(earlier), 0) << read_file(log("evaluate"));
  EXPECT_THAT(read_file(log("evaluate")),
              HasSubstr("step_00000021: step 21 of 24, the run is not finished"));
  EXPECT_EQ(model().at("finished"), false);
  ASSERT_EQ(raven("report", {"report", folder("run").string()}), 0) << read_file(log("report"));
  const auto html = read_file(folder("run") / "report.html");
  EXPECT_THAT(html, HasSubstr("step_00000021, step 21 of 24, greedy_ctc"));
  EXPECT_THAT(html, HasSubstr("The weights are those of step 21 of 24"));
}

TEST_F(Evaluate, ThatFailsLeavesNoFolder) {
  auto manifest = data::read_manifest(test());
  manifest.file = folder("") / "gone.tsv";
  for (auto& utterance : manifest.utterances) utterance.video.file = "/nowhere/clip.mp4";
  data::write_manifest(manifest);
  const auto list = "data.manifest=" + manifest.file.string();
  const auto out = "out=" + (folder("a") / "b").string();
  EXPECT_EQ(evaluate("failed", "video", {list, out}), 1) << read_file(log("failed"));
  EXPECT_FALSE(fs::exists(folder("a")));
  fs::create_directory(folder("a"));
  EXPECT_EQ(evaluate("failed", "video", {list, out, "data.max_skipped=0"}), 3)
      << read_file(log("none"));
  EXPECT_TRUE(fs::is_empty(folder("a")));
}

TEST_F(Evaluate, SearchingTogetherIsSearchingAlone) {
  for (const std::string kind : {"hybrid", "attention", "greedy_ctc"}) {
    ASSERT_EQ(evaluate("alone" + kind, "video", {"decode.kind=" + kind, "data.max_frames=1"}), 0);
    ASSERT_EQ(evaluate("all" + kind, "video", {"decode.kind=" + kind, "data.max_frames=5000"}), 0);
    const auto alone = utterances("alone" + kind + "/manifest"),
               all = utterances("all" + kind + "/manifest");
    ASSERT_EQ(alone.size(), all.size());
    for (std::size_t i = 0; i < alone.size(); ++i) {
      EXPECT_EQ(alone[i].at("hyp"), all[i].at("hyp"));
      EXPECT_NEAR(alone[i].at("score"), all[i].at("score"), 1e-4) << alone[i].at("id");
    }
  }
}

TEST_F(Evaluate, AnUnreadableClipIsCountedAndChangesNoOtherResult) {
  auto manifest = data::read_manifest(test());
  manifest.file = folder("") / "hole.tsv";
  manifest.utterances[3].video.file = "/nowhere/clip.mp4";
  data::write_manifest(manifest);
  const std::vector<std::string> more = {"data.manifest=" + manifest.file.string()};
  ASSERT_EQ(evaluate("whole", "video", more), 0) << read_file(log("whole"));
  const auto rates = nlohmann::json::parse(read_file(folder("whole") / "hole" / "wer.json"));
  EXPECT_EQ(rates.at("skipped").at("missing"), 1);
  EXPECT_EQ(rates.at("utterances"), 11);
  const auto decoded = read_file(folder("whole") / "hole" / "decoded.jsonl");
  fs::create_directories(folder("cut") / "hole");
  write_file_atomically(folder("cut") / "hole" / "decoded.jsonl",
                        decoded.substr(0, decoded.rfind("{\"finished\"")));
  ASSERT_EQ(evaluate("cut", "video", more), 0) << read_file(log("cut"));
  EXPECT_EQ(results("whole"), results("cut"));
  const auto budget = evaluate("budget", "video",
                               {"data.manifest=" + manifest.file.string(), "data.max_skipped=0"});
  EXPECT_EQ(budget, 3);
}

TEST_F(Evaluate, TheReportShowsWhereTheWorstUtterancesWereLookedAt) {
  ASSERT_EQ(finetune("run", {"model.modality=audio"}), 0) << read_file(log("run"));
  auto recognizer = weights::read_safetensors(folder("run") / "recognizer.safetensors");
  for (auto& [name, tensor] : recognizer.tensors) {
    if (name == "ctc.ctc_lo.bias") tensor[0] -= 20;  // so that CTC says more than blanks
  }
  weights::write_safetensors(folder("run") / "recognizer.safetensors", recognizer);
  ASSERT_EQ(raven("evaluate", {"evaluate", "device=cpu", "threads=1", "decode.beam_size=4",
                               "model=" + folder("run").string(), "data.manifest=" + test(),
                               "noise.kind=babble", "noise.snr_db=[0,10]"}),
            0)
      << read_file(log("evaluate"));
  const auto set = folder("run") / "evaluate" / "manifest";
  const auto worst = nlohmann::json::parse(read_file(set / "worst.json"));
  const auto pictures = nlohmann::json::parse(read_file(set / "attention.json"));
  ASSERT_EQ(pictures.size(), std::min<std::size_t>(worst.size(), 6));
  ASSERT_FALSE(pictures.empty());
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    EXPECT_EQ(pictures[i].at("id"), worst[i].at("id"));
    ASSERT_EQ(pictures[i].at("attention").size(), pictures[i].at("units").size());
    EXPECT_EQ(pictures[i].at("units").back(), "<eos>");
    for (const auto& row : pictures[i].at("attention")) {
      EXPECT_EQ(row.size(), worst[i].at("frames"));
      double sum = 0;
      for (const double weight : row) sum += weight;
      EXPECT_NEAR(sum, 1, 0.01);
    }
    EXPECT_FALSE(pictures[i].at("ctc").empty());
    for (const auto& spike : pictures[i].at("ctc"))
      EXPECT_LT(spike.at(0), worst[i].at("frames").get<int>());
  }
  ASSERT_EQ(raven("report", {"report", folder("run").string()}), 0) << read_file(log("report"));
  const auto html = read_file(folder("run") / "report.html");
  const auto shows = [&](const std::string& what) { return html.find(what) != html.npos; };
  EXPECT_TRUE(shows("<b>Attention and CTC: " + worst[0].at("id").get<std::string>()));
  EXPECT_TRUE(shows(">CTC</text>"));
  EXPECT_TRUE(shows("manifest@babble_0dB"));
  EXPECT_TRUE(shows("WER and noise"));
  EXPECT_FALSE(shows("attention.json: expected"));
}

}  // namespace
}  // namespace raven
