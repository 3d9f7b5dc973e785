// The Python of docs/weights.md makes of an exported .pth a module that answers as raven does.
#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "e2e/tiny_recognizers.h"
#include "support/shell.h"

namespace raven {
namespace {

using nlohmann::json;

/// The block of Python in docs/weights.md that begins with `first`.
std::string python_of_the_docs(const std::string& first) {
  const auto page = read_file(fs::path(RAVEN_SOURCE_DIR) / "docs/weights.md");
  const auto begin = page.find("```python\n" + first);
  EXPECT_NE(begin, page.npos);
  const auto code = begin + std::string("```python\n").size();
  return page.substr(code, page.find("```", code) - code);
}

/// What `raven evaluate` recognised, by id.
std::map<std::string, std::string> hypotheses(const fs::path& set) {
  std::map<std::string, std::string> texts;
  std::ifstream lines(set / "utterances.jsonl");
  for (std::string line; std::getline(lines, line);) {
    const auto utterance = json::parse(line);
    texts[utterance.at("id")] = utterance.at("hyp");
  }
  return texts;
}

TEST_F(TinyRecognizers, OfAPthBecomeAModuleInPython) {
  // Hardly trained: CTC learns first to say nothing at all.
  ASSERT_EQ(
      finetune("vsr30", {"model.modality=video", "train.steps=1", "optimizer.warmup_steps=0",
                         "optimizer.lr=1e-6", "optimizer.min_lr=1e-6", "optimizer.other_lr=1e-6"}),
      0)
      << read_file(log("vsr30"));
  const auto run = folder("vsr30").string();
  ASSERT_EQ(raven("export", {"export", run, folder("vsr30.pth").string()}), 0)
      << read_file(log("export"));
  ASSERT_EQ(raven("features", {"features", "--model", run, "data.manifest=" + test(), "--out",
                               folder("features").string(), "device=cpu", "threads=1"}),
            0)
      << read_file(log("features"));
  ASSERT_EQ(raven("evaluate",
                  {"evaluate", "model=" + run, "data.manifest=" + test(), "decode.kind=greedy_ctc",
                   "out=" + folder("results").string(), "device=cpu", "threads=1"}),
            0)
      << read_file(log("evaluate"));
  const auto code = python_of_the_docs("import numpy, torch");
  EXPECT_LE(std::count(code.begin(), code.end(), '\n'), 10);
  write_file_atomically(folder("module.py"), code);
  const char* given = std::getenv("RAVEN_PYTHON");
  const auto command = "cd '" + temporary_.path().string() + "' && " +
                       (given != nullptr ? given : "python3") +
                       " -W ignore " RAVEN_SOURCE_DIR "/tests/e2e/python_weights.py run module.py";
  constexpr int kLooked = 3;  // a Python with torch takes seconds to start
  int looked = 0;
  for (const auto& [id, text] : hypotheses(folder("results") / "manifest")) {
    if (text.empty() || looked == kLooked) continue;
    ++looked;
    fs::copy_file(folder("features") / (id + ".npy"), folder("features") / "a.npy",
                  fs::copy_options::overwrite_existing);
    const auto said = shell(command);
    ASSERT_EQ(said.code, 0) << "scripts/test.sh makes a Python with torch and numpy; RAVEN_PYTHON "
                               "names it";
    EXPECT_EQ(said.output, text + "\n") << id;
  }
  EXPECT_EQ(looked, kLooked) << "too little was recognised, so that nothing was compared";
}

}  // namespace
}  // namespace raven
