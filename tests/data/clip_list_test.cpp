#include "data/clip_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "support/temporary_folder.h"

namespace raven::data {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ClipListTest : public testing::Test {
 protected:
  /// VoxCeleb2's layout below /data/vox2.
  static std::vector<corpus::SourceClip> clips() {
    std::vector<corpus::SourceClip> all;
    for (const std::string name :
         {"id1/abc/00001", "id1/abc/00002", "id1/xyz/00001", "id2/abc/00001"}) {
      corpus::SourceClip clip;
      clip.id = "dev/" + name;
      clip.video = "/data/vox2/dev/mp4/" + name + ".mp4";
      all.push_back(clip);
    }
    return all;
  }
  [[nodiscard]] ClipList list(const std::string& content) const {
    write_file_atomically(file_, content);
    return ClipList(file_);
  }
  [[nodiscard]] std::vector<std::string> kept(const std::string& content) const {
    auto all = clips();
    list(content).keep_named(all);
    std::vector<std::string> ids;
    for (const auto& clip : all) ids.push_back(clip.id);
    return ids;
  }
  TemporaryFolder temporary_;
  fs::path file_ = temporary_.path() / "list.txt";
};

TEST_F(ClipListTest, NamesAreClipsAndFoldersOfThem) {
  EXPECT_THAT(kept("id1/abc/00002\n"), ElementsAre("dev/id1/abc/00002"));
  EXPECT_THAT(kept("dev/mp4/id1/abc/00002.mp4\n"), ElementsAre("dev/id1/abc/00002"));
  EXPECT_THAT(kept("dev/id1/abc/00002\n"), ElementsAre("dev/id1/abc/00002"));
  EXPECT_THAT(kept("/home/them/vox/dev/mp4/id1/abc/00002.wav\n"), ElementsAre("dev/id1/abc/00002"));
  EXPECT_THAT(kept("id1/abc\nid2\n"),
              ElementsAre("dev/id1/abc/00001", "dev/id1/abc/00002", "dev/id2/abc/00001"));
  EXPECT_THAT(kept("xyz/00001\n"), ElementsAre("dev/id1/xyz/00001"));
}

TEST_F(ClipListTest, TablesAndCommentsWillDo) {
  EXPECT_THAT(kept("id\tlanguage\n# of Vox2\n\nid1/abc/00001\ten\nid2/abc/00001,en\r\n"),
              ElementsAre("dev/id1/abc/00001", "dev/id2/abc/00001"));
}

TEST_F(ClipListTest, TellsWhatIsNotThere) {
  auto all = clips();
  auto names = list("id1/abc/00001\nid1/abc/00007.mp4\nid1\nid9/abc\nid1/abc/00001\n");
  names.keep_named(all);
  EXPECT_EQ(names.num_names(), 4);  // one comes twice
  EXPECT_THAT(names.missing(), ElementsAre("id1/abc/00007.mp4", "id9/abc"));
}

TEST_F(ClipListTest, RefusesAListThatNamesNothingHere) {
  const auto message = [&](const std::string& content) -> std::string {
    try {
      static_cast<void>(kept(content));
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(message("# none\n\n"), HasSubstr("names no clip"));
  EXPECT_THAT(message("id7/x/1\n"),
              HasSubstr("names none of the 4 clips; its first line is 'id7/x/1', a clip is called "
                        "'dev/id1/abc/00001'"));
  EXPECT_THROW(ClipList(temporary_.path() / "absent.txt"), DataError);
}

}  // namespace
}  // namespace raven::data
