// `raven prepare` on a synthetic corpus whose landmarks are hidden: the mouths are found again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <map>
#include <set>
#include <thread>

#include "e2e/process.h"
#include "raven/core/files.h"
#include "raven/corpus/landmarks.h"
#include "support/temporary_folder.h"

namespace raven {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const std::string kRaven = std::string(RAVEN_BINARY_DIR) + "/bin/raven";

corpus::Point mouth_of(const corpus::FacePoints& face) {
  corpus::Point sum;
  for (auto i = corpus::kFirstMouthPoint; i < face.size(); ++i)
    sum.x += face[i].x / 20, sum.y += face[i].y / 20;
  return sum;
}

std::map<std::string, std::string> content_of(const fs::path& folder) {
  std::map<std::string, std::string> content;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const auto name = entry.path().lexically_relative(folder).string();
    if (entry.is_regular_file() && name != ".lock") content[name] = read_file(entry.path());
  }
  return content;
}

class FoundFaces : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    ASSERT_EQ(run({"synth", "--out", corpus().string(), "--utterances", "6", "--speakers", "6",
                   "--seed", "4", "--kind", "digits", "--workers", "1"}),
              0)
        << said();
    fs::rename(corpus() / "landmarks", truth());
    ASSERT_EQ(Process(preparation("whole"), log()).wait(), 0) << said();
    ASSERT_THAT(said(), HasSubstr("exclude commercial use"));
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }

  static fs::path corpus() { return folder_->path() / "corpus"; }
  static fs::path truth() { return folder_->path() / "truth"; }
  static fs::path out(const std::string& name) { return folder_->path() / name; }
  /// The first by its name is the first that is prepared.
  static fs::path first_clip() {
    std::set<fs::path> names;
    for (const auto& entry : fs::recursive_directory_iterator(truth())) {
      if (entry.is_regular_file()) names.insert(entry.path().lexically_relative(truth()));
    }
    return *names.begin();
  }
  static fs::path log() { return folder_->path() / "log.txt"; }
  static std::string said() { return read_file(log()); }
  static std::vector<std::string> preparation(const std::string& name) {
    return {kRaven,      "prepare", corpus().string(), "--out", out(name).string(),
            "--workers", "1",       "--shard-size",    "1"};
  }
  static int run(std::vector<std::string> words) {
    words.insert(words.begin(), kRaven);
    return Process(words, log()).wait();
  }

 private:
  static TemporaryFolder* folder_;
};

TemporaryFolder* FoundFaces::folder_ = nullptr;

// dlib sees the mouth of a drawn face one or two pixels higher than it was drawn, differently from
// speaker to speaker; what is beside that is how well each frame is hit.
TEST_F(FoundFaces, AreWhereTheyWereDrawn) {
  double frames = 0, near = 0, near_beside_shift = 0;
  for (const auto& entry : fs::recursive_directory_iterator(truth())) {
    if (!entry.is_regular_file()) continue;
    const auto name = entry.path().lexically_relative(truth());
    const auto drawn = corpus::read_landmarks(read_file(entry.path()), name.string());
    const auto found =
        corpus::read_landmarks(read_file(out("whole") / "landmarks" / name), name.string());
    ASSERT_EQ(drawn.count, found.count) << name;
    corpus::Point shift;
    std::vector<corpus::Point> apart;
    for (std::int64_t t = 0; t < drawn.count; ++t) {
      const auto a = mouth_of(found.at(t)), b = mouth_of(drawn.at(t));
      apart.push_back({a.x - b.x, a.y - b.y});
      shift.x += apart.back().x / static_cast<double>(drawn.count);
      shift.y += apart.back().y / static_cast<double>(drawn.count);
    }
    for (const auto& [x, y] : apart) {
      ++frames;
      near += std::hypot(x, y) <= 4 ? 1 : 0;
      near_beside_shift += std::hypot(x - shift.x, y - shift.y) <= 2 ? 1 : 0;
    }
  }
  ASSERT_GT(frames, 200);
  EXPECT_GE(near, 0.95 * frames);
  EXPECT_GE(near_beside_shift, 0.95 * frames);
}

TEST_F(FoundFaces, OfARunThatWasKilledAreTheSame) {
  {
    Process killed(preparation("killed"), log());
    const auto first = out("killed") / "landmarks" / first_clip();  // found, and not yet in a shard
    while (!fs::exists(first)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }  // SIGKILL
  ASSERT_FALSE(fs::exists(out("killed") / "manifest.tsv"));
  ASSERT_EQ(Process(preparation("killed"), log()).wait(), 0) << said();
  EXPECT_EQ(content_of(out("killed")), content_of(out("whole")));
}

}  // namespace
}  // namespace raven
