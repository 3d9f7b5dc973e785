// The program itself: workers, stops, resuming, exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <thread>

#include "raven/core/files.h"
#include "support/temporary_folder.h"

namespace raven::synth {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const std::string kProgram = RAVEN_BINARY_DIR "/bin/raven-synth";

struct Result {
  int code = -1;
  std::string output;
};

/// Runs a shell command; its stdout and stderr together.
Result run(const std::string& command) {
  Result result;
  FILE* pipe = ::popen(("(" + command + ") 2>&1").c_str(), "r");
  std::array<char, 4096> block{};
  while (const auto count = std::fread(block.data(), 1, block.size(), pipe))
    result.output.append(block.data(), count);
  result.code = WEXITSTATUS(::pclose(pipe));
  return result;
}

std::string corpus_command(const fs::path& out, const std::string& more) {
  return kProgram + " --out '" + out.string() + "' --kind grid --speakers 3 " + more;
}

/// Content of every file below a folder, but for the lock.
std::map<std::string, std::string> tree(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file() || entry.path().filename() == ".lock") continue;
    files[fs::relative(entry.path(), folder).string()] = read_file(entry.path());
  }
  return files;
}

TEST(RavenSynth, ReadsItsVoicesFromTheFolderBesideIt) {
  const TemporaryFolder folder;
  const auto program = folder.path() / "bin" / "raven-synth";
  fs::create_directories(program.parent_path());
  fs::copy_file(kProgram, program);
  const auto make = [&](const std::string& out) {
    return run("env -u ESPEAK_DATA_PATH '" + program.string() + "' --out '" +
               (folder.path() / out).string() + "' --speakers 3 --utterances 3 --workers 1");
  };
  const auto installed = make("a");
  EXPECT_EQ(installed.code, 0) << installed.output;
  fs::create_directories(folder.path() / "share" / "espeak-ng-data");  // has no voices
  const auto beside = make("b");
  EXPECT_NE(beside.code, 0) << beside.output;
  EXPECT_THAT(beside.output, HasSubstr("espeak-ng cannot read its data"));
}

TEST(RavenSynth, WorkersAndStopsChangeNoByte) {
  const TemporaryFolder folder;
  const auto one = folder.path() / "one", three = folder.path() / "three";
  const auto first = run(corpus_command(one, "--utterances 7 --workers 1"));
  ASSERT_EQ(first.code, 0) << first.output;
  EXPECT_THAT(first.output, HasSubstr("7 utterances made, 0 kept"));
  const auto expected = tree(one);
  EXPECT_EQ(expected.size(), 7U * 4 + 2);  // .mp4, .txt, .npy and synth.json

  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/bin/sh", "sh", "-c",
            ("exec " + corpus_command(three, "--utterances 7 --workers 3 2>/dev/null")).c_str(),
            nullptr);
    _exit(127);
  }
  while (!fs::exists(three / "landmarks"))
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  ::kill(child, SIGTERM);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 75);
  const auto partial = tree(three);
  EXPECT_LT(partial.size(), expected.size());
  for (const auto& [name, content] : partial) EXPECT_TRUE(expected.at(name) == content) << name;

  const auto again = run(corpus_command(three, "--utterances 7 --workers 3"));
  ASSERT_EQ(again.code, 0) << again.output;
  const auto whole = tree(three);
  ASSERT_EQ(whole.size(), expected.size());
  for (const auto& [name, content] : expected) EXPECT_TRUE(whole.at(name) == content) << name;
}

TEST(RavenSynth, AKilledOneLeavesNoWorkerThatHoldsTheFolder) {
  const TemporaryFolder folder;
  const auto out = folder.path() / "out";
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/bin/sh", "sh", "-c",
            ("exec " + corpus_command(out, "--utterances 7 --workers 3 2>/dev/null")).c_str(),
            nullptr);
    _exit(127);
  }
  while (!fs::exists(out / "landmarks")) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  const auto again = run(corpus_command(out, "--utterances 7 --workers 3"));
  ASSERT_EQ(again.code, 0) << again.output;
  EXPECT_EQ(tree(out).size(), 7U * 4 + 2);  // and nothing that was half written
}

TEST(RavenSynth, MakesOnlyWhatIsMissing) {
  const TemporaryFolder folder;
  ASSERT_EQ(run(corpus_command(folder.path(), "--utterances 3")).code, 0);
  const auto before = tree(folder.path());
  fs::path removed;
  for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
    if (entry.path().extension() == ".txt") removed = entry.path();
  }
  fs::remove(removed);
  const auto again = run(corpus_command(folder.path(), "--utterances 3"));
  EXPECT_EQ(again.code, 0);
  EXPECT_THAT(again.output, HasSubstr("1 utterances made, 2 kept"));
  EXPECT_TRUE(tree(folder.path()) == before);
}

TEST(RavenSynth, RefusesAFolderOfOtherOptions) {
  const TemporaryFolder folder;
  ASSERT_EQ(run(corpus_command(folder.path(), "--utterances 1")).code, 0);
  const auto before = tree(folder.path());
  const auto other = run(corpus_command(folder.path(), "--utterances 1 --seed 2"));
  EXPECT_EQ(other.code, 2);
  EXPECT_THAT(other.output, HasSubstr("synth.json"));
  EXPECT_TRUE(tree(folder.path()) == before);
}

TEST(RavenSynth, AnotherSeedGivesAnotherCorpus) {
  const TemporaryFolder folder;
  ASSERT_EQ(run(corpus_command(folder.path() / "a", "--utterances 1")).code, 0);
  ASSERT_EQ(run(corpus_command(folder.path() / "b", "--utterances 1 --seed 2")).code, 0);
  EXPECT_FALSE(tree(folder.path() / "a") == tree(folder.path() / "b"));
}

TEST(RavenSynth, LeavesNoPartOfAFileWhenTheDiskIsFull) {
  const TemporaryFolder folder;
  const auto result =
      run("ulimit -f 8; trap '' XFSZ; " + corpus_command(folder.path(), "--utterances 1"));
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.output, HasSubstr("cannot write " + folder.path().string()));
  EXPECT_EQ(tree(folder.path()).size(), 1U);  // synth.json
}

TEST(RavenSynth, SaysWhichFolderItCannotMake) {
  const TemporaryFolder folder;
  write_file_atomically(folder.path() / "file", "not a folder");
  const auto result = run(corpus_command(folder.path() / "file" / "corpus", "--utterances 1"));
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.output,
              HasSubstr("cannot create folder " + (folder.path() / "file").string()));
}

TEST(RavenSynth, ExitsTwoOnWrongUsage) {
  const TemporaryFolder folder;
  EXPECT_EQ(run(kProgram).code, 2);
  EXPECT_EQ(run(kProgram + " --out x --kind poems").code, 2);
  EXPECT_EQ(run(corpus_command(folder.path(), "--utterances 0")).code, 2);
  EXPECT_EQ(run(kProgram + " --help").code, 0);
  EXPECT_THAT(run(kProgram + " --version").output, HasSubstr("raven-synth 0."));
}

}  // namespace
}  // namespace raven::synth
