// The lists of a preparation: what is for training and what for validation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include "corpus/make_corpus.h"
#include "data/refused_options.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/random.h"
#include "raven/data/preparation.h"
#include "raven/data/statistics.h"
#include "raven/data/verification.h"
#include "support/temporary_folder.h"

namespace raven::data {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsSubsetOf;
using Ids = std::set<std::string>;

class PreparationLists : public testing::Test {
 protected:
  PreparationLists() {
    options.inputs = {input()};
    options.output = output("out");
    options.clip.format = corpus::StorageFormat::kRaw;
    options.workers = 2;
  }

  [[nodiscard]] fs::path input() const { return temporary_.path() / "corpus"; }
  [[nodiscard]] fs::path output(const std::string& name) const { return temporary_.path() / name; }

  void write(const std::string& stem) const {
    corpus::write_clip(input(), stem + ".mp4", {.frames = 12, .text = "Text:  ONE\n"});
  }
  /// `speakers` of two clips each.
  void make(const std::string& part, int speakers) const {
    for (int s = 0; s < speakers; ++s) {
      for (int clip = 0; clip < 2; ++clip) write(fmt::format("{}spk{:02}/{:05}", part, s, clip));
    }
  }

  /// None where there is no such list.
  [[nodiscard]] Ids ids(const std::string& list) const {
    Ids found;
    const auto file = options.output / (list + ".tsv");
    if (!fs::exists(file)) return found;
    for (const auto& utterance : parse_manifest(read_file(file), file).utterances)
      found.insert(utterance.id);
    return found;
  }

  PreparationOptions options;

 private:
  TemporaryFolder temporary_;
};

Ids both(Ids a, const Ids& b) {
  a.insert(b.begin(), b.end());
  return a;
}

Ids shared(const Ids& a, const Ids& b) {
  Ids found;
  std::ranges::set_intersection(a, b, std::inserter(found, found.end()));
  return found;
}

TEST_F(PreparationLists, OfLrs3HaveAValidationPartInsideTrainvalAsPublished) {
  make("trainval/", 20);
  make("pretrain/", 10);
  const auto summary = prepare(options);
  EXPECT_EQ(summary.valid.utterances, 4);
  EXPECT_EQ(summary.valid.from, "trainval.tsv");
  EXPECT_FALSE(summary.valid.held_out);
  EXPECT_EQ(ids("trainval").size(), 40U);
  EXPECT_EQ(ids("valid").size(), 4U);
  EXPECT_THAT(ids("valid"), IsSubsetOf(ids("trainval")));
  EXPECT_EQ(ids("manifest").size(), 60U);
  const auto valid = ids("valid");
  // The same clips are held out once that is asked for, and stay so without asking.
  options.hold_out = 0;
  EXPECT_TRUE(prepare(options).valid.held_out);
  for (int run = 0; run < 2; ++run) {
    EXPECT_EQ(ids("valid"), valid);
    EXPECT_EQ(shared(ids("trainval"), valid), Ids());
    EXPECT_EQ(both(ids("trainval"), valid).size(), 40U);
    EXPECT_EQ(ids("manifest").size(), 60U);
    options.hold_out.reset();
    EXPECT_EQ(prepare(options).newly_prepared, 0);
  }
}

TEST_F(PreparationLists, HeldOutHaveWholeSpeakersAndWorkInEveryCommand) {
  make("trainval/", 20);
  options.hold_out = 3;
  const auto summary = prepare(options);
  EXPECT_EQ(summary.valid.utterances, 2);  // a second speaker would be one too many
  EXPECT_FALSE(summary.valid.by_clips);
  for (const std::string list : {"valid", "trainval"}) {
    const auto manifest = read_manifest(options.output / (list + ".tsv"));
    const auto count = list == "valid" ? 2 : 38;
    EXPECT_EQ(statistics_of(manifest).all.utterances, count);
    EXPECT_EQ(statistics_of(manifest).speakers, count / 2);
    EXPECT_EQ(verify(manifest, 1, {}).usable, count);
  }
}

TEST_F(PreparationLists, OfAPlainFolderAreTrainAndValid) {
  make("", 15);
  options.layout = corpus::Layout::kFolder;
  prepare(options);
  EXPECT_FALSE(fs::exists(options.output / "valid.tsv"));
  EXPECT_FALSE(fs::exists(options.output / "train.tsv"));
  options.hold_out = 0;
  prepare(options);
  EXPECT_EQ(ids("valid").size(), 2U);  // whole speakers, of at most 3 utterances
  EXPECT_EQ(ids("train").size(), 28U);
  EXPECT_EQ(both(ids("train"), ids("valid")), ids("manifest"));
  const auto valid = ids("valid");
  options.output = output("again");
  options.workers = 1;
  prepare(options);
  EXPECT_EQ(ids("valid"), valid);
}

TEST_F(PreparationLists, NoClipChangesItsListWhenMoreCome) {
  make("trainval/", 15);
  options.hold_out = 0;
  prepare(options);
  const auto valid = ids("valid"), train = ids("trainval");
  ASSERT_EQ(valid.size(), 2U);
  const auto speaker = valid.begin()->substr(0, valid.begin()->rfind('/'));
  write(speaker + "/00007");  // of a speaker who is held out
  for (int i = 0; i < 40; ++i) write(fmt::format("trainval/later{:02}/00001", i));
  prepare(options);
  EXPECT_EQ(ids("valid"), both(valid, {speaker + "/00007"}));
  EXPECT_THAT(train, IsSubsetOf(ids("trainval")));
  EXPECT_EQ(ids("trainval").size(), train.size() + 40);
}

TEST_F(PreparationLists, RefuseAnotherNumberAndListsOfOthers) {
  make("trainval/", 10);
  options.hold_out = 2;
  corpus::write_bytes(options.output / "valid.tsv", "mine");
  EXPECT_THAT(config_error(options),
              HasSubstr("valid.tsv is there already and was not made by this"));
  options.hold_out.reset();
  EXPECT_EQ(prepare(options).valid.utterances, 0);  // not asked for: left alone
  EXPECT_EQ(read_file(options.output / "valid.tsv"), "mine");
  fs::remove(options.output / "valid.tsv");
  options.hold_out = 2;
  EXPECT_EQ(prepare(options).valid.utterances, 2);
  options.hold_out = 1;
  EXPECT_THAT(config_error(options), HasSubstr("was drawn with hold-out 2, now it is 1"));
  options.hold_out = 0;
  EXPECT_THAT(config_error(options), HasSubstr("was drawn with hold-out 2, now it is auto"));
  options.hold_out = -1;
  EXPECT_THAT(config_error(options), HasSubstr("hold-out must not be negative"));
}

TEST_F(PreparationLists, SayWhereThereIsNothingToHoldOutFrom) {
  make("pretrain/", 2);
  options.hold_out = 0;
  EXPECT_THAT(config_error(options), HasSubstr("nothing to hold out from"));
  options.hold_out.reset();
  EXPECT_EQ(prepare(options).valid.utterances, 0);
  write("trainval/ann/00001");
  options.hold_out = 0;
  EXPECT_EQ(prepare(options).valid.utterances, 0);  // there are no two
  EXPECT_EQ(ids("trainval").size(), 1U);
  write("trainval/ann/00002");
  EXPECT_EQ(prepare(options).valid.utterances, 1);
  EXPECT_EQ(ids("trainval").size(), 1U);
}

TEST_F(PreparationLists, RefuseADamagedRecordOfWhatIsForValidation) {
  make("trainval/", 5);
  prepare(options);
  const auto file = options.output / "prepare.json";
  auto said = read_file(file);
  const auto at = said.find("\"held-out\": false");
  ASSERT_NE(at, std::string::npos);
  corpus::write_bytes(file, said.replace(at + 12, 5, "7"));
  EXPECT_THAT(config_error(options), HasSubstr("prepare.json: damaged"));
}

TEST_F(PreparationLists, KilledAtAnyMomentHaveNoClipInCommon) {
  make("trainval/", 20);
  options.hold_out = 0;
  options.output = output("wanted");
  const auto start = std::chrono::steady_clock::now();
  prepare(options);
  const std::chrono::duration<double> duration = std::chrono::steady_clock::now() - start;
  const auto valid = ids("valid"), train = ids("trainval");
  ASSERT_EQ(valid.size(), 4U);

  Random random(5);
  for (int run = 0, kills = 0; run < 40 && kills < 20; ++run) {
    options.output = output(fmt::format("killed{}", run));
    const bool from_nothing = run % 2 == 1;
    options.hold_out.reset();
    if (!from_nothing) prepare(options);  // valid.tsv lies inside trainval.tsv
    options.hold_out = 0;
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        prepare(options);
      } catch (...) {
        ::_exit(1);
      }
      ::_exit(0);
    }
    std::this_thread::sleep_for(duration * random.uniform(0, from_nothing ? 1.1 : 0.1));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    kills += WIFSIGNALED(status) ? 1 : 0;
    // A list is whole or is not there; from nothing no clip is ever in both.
    const auto found_valid = ids("valid"), found_train = ids("trainval");
    EXPECT_TRUE(found_valid.empty() || found_valid == valid) << run;
    EXPECT_TRUE(found_train.empty() || found_train == train ||
                (!from_nothing && found_train == both(train, valid)))
        << run;
    EXPECT_TRUE(found_train.empty() || !found_valid.empty()) << run;  // valid.tsv comes first
    prepare(options);
    EXPECT_EQ(ids("valid"), valid);
    EXPECT_EQ(ids("trainval"), train);
  }
}

}  // namespace
}  // namespace raven::data
