#include "raven/data/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/data/media_roots.h"
#include "support/temporary_folder.h"

namespace raven::data {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kHeader = "id\tvideo\taudio\tframes\ttext\n";

/// Message and reason of the DataError that `content` causes; empty when it is read.
std::pair<std::string, std::string> refusal(const std::string& content,
                                            const std::string& name = "m.tsv") {
  try {
    parse_manifest(content, "/d/" + name);
  } catch (const DataError& error) {
    return {error.what(), error.reason()};
  }
  return {};
}

TEST(Manifest, ReadsColumnsByName) {
  const auto manifest = parse_manifest(
      "frames\tsource\tid\tnote\tvideo\tspeaker\n75\tlrs3\ta/1\tx\tshards/0.tar/a/1.mp4\ts1\n",
      "/data/m.tsv");
  ASSERT_EQ(manifest.utterances.size(), 1U);
  const auto& u = manifest.utterances[0];
  EXPECT_EQ(u.id, "a/1");
  EXPECT_EQ(u.video.file, "/data/shards/0.tar");
  EXPECT_EQ(u.video.member, "a/1.mp4");
  EXPECT_TRUE(u.audio.empty());
  EXPECT_EQ(u.frames, 75);
  EXPECT_EQ(u.speaker, "s1");
  EXPECT_EQ(u.source, "lrs3");
  EXPECT_EQ(manifest.total_frames(), 75);
}

TEST(Manifest, FindsFilesFromItsOwnFolder) {
  const auto manifest = parse_manifest(std::string(kHeader) + "a\t../v/a.mp4\t/abs/a.wav\t5\t\n",
                                       "/data/lists/m.tsv");
  EXPECT_EQ(manifest.utterances[0].video.file, "/data/v/a.mp4");
  EXPECT_EQ(manifest.utterances[0].audio.file, "/abs/a.wav");
}

TEST(Manifest, AcceptsByteOrderMarkAndWindowsLineEnds) {
  const auto manifest = parse_manifest(
      "\xEF\xBB\xBFid\tvideo\taudio\tframes\ttext\r\na\ta.mp4\t\t5\tHELLO\r\n\r\nb\tb.mp4\t\t6\tX",
      "/d/m.tsv");
  ASSERT_EQ(manifest.utterances.size(), 2U);
  EXPECT_EQ(manifest.utterances[0].text, "HELLO");
  EXPECT_EQ(manifest.utterances[1].frames, 6);
}

TEST(Manifest, AcceptsLineEndsOfOldMacs) {
  const auto manifest = parse_manifest(
      "id\tvideo\taudio\tframes\ttext\ra\ta.mp4\t\t5\tHELLO\rb\tb.mp4\t\t6\tX\r", "/d/m.tsv");
  ASSERT_EQ(manifest.utterances.size(), 2U);
  EXPECT_EQ(manifest.utterances[0].text, "HELLO");
  EXPECT_EQ(manifest.utterances[1].origin.text(), "/d/m.tsv:3");
  EXPECT_EQ(parse_manifest("lrs3,a.avi,5,1\rlrs3,b.avi,6,2\r", "/d/l.csv").utterances.size(), 2U);
  EXPECT_THAT(refusal(std::string(kHeader) + "a\ta.mp4\t\t5\t\nb\rc\n").first,
              HasSubstr("m.tsv:3: 1 columns"));  // not as soon as there is one somewhere
}

TEST(Manifest, AnUtteranceMayLackVideoOrAudio) {
  const auto manifest = parse_manifest(
      std::string(kHeader) + "heard\t\ta.flac\t5\tA\nseen\tb.npy\t\t6\t\n", "/d/m.tsv");
  ASSERT_EQ(manifest.utterances.size(), 2U);
  EXPECT_TRUE(manifest.utterances[0].video.empty());
  EXPECT_EQ(manifest.utterances[0].audio.file, "/d/a.flac");
  EXPECT_TRUE(manifest.utterances[1].audio.empty());
  const auto sounds = parse_manifest("id\taudio\tframes\na\ta.wav\t5\n", "/d/m.tsv");
  EXPECT_EQ(sounds.utterances.at(0).audio.file, "/d/a.wav");
}

TEST(Manifest, RefusesTextThatIsNoUtf8ByLineAndColumn) {
  const std::string header = "id\tvideo\taudio\tframes\ttext\tspeaker\tsubset\tsource\n";
  const struct {
    std::string line, what;
  } cases[] = {
      {"caf\xE9\ta.mp4\t\t5\t\t\t\t", "m.tsv:2: id 'caf\\xe9' is not UTF-8 text (byte 4 of it)"},
      {"a\ta.mp4\t\t5\tCAF\xC9 X\t\t\t", "m.tsv:2: text 'CAF\\xc9 X' is not UTF-8"},
      {"a\ta.mp4\t\t5\t\t\xFF\t\t", "m.tsv:2: speaker '\\xff' is not UTF-8"},
      {"a\ta.mp4\t\t5\t\t\t\xFF\t", "m.tsv:2: subset '\\xff' is not UTF-8"},
      {"a\ta.mp4\t\t5\t\t\t\t\xFF", "m.tsv:2: source '\\xff' is not UTF-8"}};
  for (const auto& [line, what] : cases) {
    EXPECT_THAT(refusal(header + line + "\n").first, HasSubstr(what));
    EXPECT_EQ(refusal(header + line + "\n").second, "text");
  }
  EXPECT_THAT(refusal("lrs3,a/caf\xE9.avi,5,1\n", "l.csv").first,
              HasSubstr("l.csv:1: path 'a/caf\\xe9' is not UTF-8"));
  EXPECT_THAT(refusal("\xFF\xFEi\0d\0", "m.tsv").first, HasSubstr("is UTF-16 text"));
  // A file's name may be any bytes, and letters of any script are text.
  const auto fine =
      parse_manifest(header + "\xC3\xA9\tcaf\xE9.mp4\t\t5\t\xD0\x96\t\t\t\n", "/d/m.tsv");
  EXPECT_EQ(fine.utterances.at(0).video.file, "/d/caf\xE9.mp4");
}

TEST(Manifest, MessagesShowNoControlCharacters) {
  const auto message = refusal(std::string(kHeader) +
                               "a\x1B[31m\xC2\x9B"
                               "1m\t\t\t5\t\n")
                           .first;
  EXPECT_THAT(message, HasSubstr("'a\\x1b[31m\\xc2\\x9b1m'"));
}

TEST(Manifest, AFolderCalledLikeATarIsAFolder) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "x.tar");
  write_file_atomically(
      folder.path() / "m.tsv",
      std::string(kHeader) + "a\tx.tar/a.mp4\tx.tar/in/y.tar/a.wav\t5\t\nb\tz.tar/a.mp4\t\t5\t\n");
  const auto manifest = read_manifest(folder.path() / "m.tsv");
  const auto& a = manifest.utterances.at(0);
  EXPECT_EQ(a.video.file, folder.path() / "x.tar/a.mp4");
  EXPECT_EQ(a.video.member, "");
  EXPECT_EQ(a.audio.file, folder.path() / "x.tar/in/y.tar");
  EXPECT_EQ(a.audio.member, "a.wav");
  EXPECT_EQ(manifest.utterances.at(1).video.member, "a.mp4");
}

TEST(Manifest, ATildeIsTheHomeFolder) {
  const std::string before = ::getenv("HOME") == nullptr ? "" : ::getenv("HOME");
  ::setenv("HOME", "/home/ann", 1);
  const auto manifest = parse_manifest(
      std::string(kHeader) + "a\t~/c/a.mp4\t~/s.tar/a.wav\t5\t\nb\t~b.mp4\t\t5\t\n", "/d/m.tsv");
  ::setenv("HOME", before.c_str(), 1);
  EXPECT_EQ(manifest.utterances.at(0).video.file, "/home/ann/c/a.mp4");
  EXPECT_EQ(manifest.utterances.at(0).audio.file, "/home/ann/s.tar");
  EXPECT_EQ(manifest.utterances.at(1).video.file, "/d/~b.mp4");
}

TEST(Manifest, AFolderMayReallyBeCalledATilde) {
  const TemporaryFolder folder;
  Manifest manifest{.file = folder.path() / "m.tsv", .utterances = {}};
  manifest.utterances.resize(1);
  manifest.utterances[0].id = "a";
  manifest.utterances[0].frames = 1;
  manifest.utterances[0].video = {folder.path() / "~/a.mp4", ""};
  manifest.utterances[0].audio = {folder.path() / "~/0.tar", "a.wav"};
  write_manifest(manifest);
  const auto again = read_manifest(manifest.file).utterances.at(0);
  EXPECT_EQ(again.video.file, folder.path() / "~/a.mp4");
  EXPECT_EQ(again.audio.file, folder.path() / "~/0.tar");
}

TEST(Manifest, NamesTheLineThatNeedsAHomeFolder) {
  const std::string before = ::getenv("HOME") == nullptr ? "" : ::getenv("HOME");
  ::unsetenv("HOME");
  std::string message;
  try {
    (void)parse_manifest(std::string(kHeader) + "a\t~/a.mp4\t\t5\t\n", "/d/m.tsv");
  } catch (const ConfigError& error) {
    message = error.what();
  }
  ::setenv("HOME", before.c_str(), 1);
  EXPECT_THAT(message, StartsWith("/d/m.tsv:2: ~/a.mp4: HOME does not name a folder"));
}

TEST(Manifest, NamesEachListOnce) {
  const auto list = [](const char* name) {
    return std::make_shared<const std::filesystem::path>(name);
  };
  const auto a = list("a.tsv"), b = list("b.tsv");
  Manifest manifest{.file = "c.tsv", .utterances = {}};
  EXPECT_EQ(manifest.names(), "c.tsv");
  for (const auto& origin : {b, a, b, a}) {
    manifest.utterances.emplace_back();
    manifest.utterances.back().origin = {.list = origin, .line = 2};
  }
  EXPECT_EQ(manifest.names(), "b.tsv, a.tsv");
}

TEST(Manifest, RefusesAListOfNothing) {
  const TemporaryFolder folder;
  const auto full = folder.path() / "full.tsv";
  write_file_atomically(full, std::string(kHeader) + "a\ta.mp4\t\t5\t\n");
  for (const std::string& content : {std::string(kHeader), std::string(kHeader) + "\n\r\n"}) {
    const auto file = folder.path() / "m.tsv";
    write_file_atomically(file, content);
    try {
      (void)read_manifests({full, file});
      FAIL();
    } catch (const DataError& error) {
      EXPECT_EQ(error.what(), file.string() + ": lists no utterances");
    }
  }
}

TEST(Manifest, NamesFileLineAndReasonOfBadInput) {
  const struct {
    std::string content, place, what, reason;
  } cases[] = {
      {"", "m.tsv:", "empty", "columns"},
      {"id\tvideo\n", "m.tsv:1:", "no column 'frames'", "columns"},
      {"id\tid\tvideo\tframes\n", "m.tsv:1:", "two columns", "columns"},
      {std::string(kHeader) + "a\ta.mp4\t\t5\n", "m.tsv:2:", "4 columns", "columns"},
      {std::string(kHeader) + "a\ta.mp4\t\t5\tX\tY\n", "m.tsv:2:", "6 columns", "columns"},
      {std::string(kHeader) + "a\ta.mp4\t\t5\t\nb\tb.mp4\t\t5\t\na\tc.mp4\t\t5\t\n",
       "m.tsv:4:", "'a' is listed twice", "duplicate"},
      {std::string(kHeader) + "\ta.mp4\t\t5\t\n", "m.tsv:2:", "id is empty", "missing"},
      {std::string(kHeader) + "a\t\t\t5\t\n", "m.tsv:2:", "neither video nor audio", "missing"},
      {"id\tframes\na\t5\n", "m.tsv:1:", "no column 'video'", "columns"},
      {std::string(kHeader) + "a\ta.mp4\t\t0\t\n", "m.tsv:2:", "frames is '0'", "frame-count"},
      {std::string(kHeader) + "a\ta.mp4\t\t-3\t\n", "m.tsv:2:", "frames is '-3'", "frame-count"},
      {std::string(kHeader) + "a\ta.mp4\t\t7.5\t\n", "m.tsv:2:", "frames is '7.5'", "frame-count"},
      {std::string(kHeader) + "a\ta.mp4\t\t99999999999999999999\t\n", "m.tsv:2:", "frames is",
       "frame-count"},
      {std::string(kHeader) + "a\ta.mp4\t\t\t\n", "m.tsv:2:", "frames is ''", "frame-count"},
      {std::string(kHeader) + std::string("a\0b\ta.mp4\t\t5\t\n", 15), "m.tsv:2:", "NUL", "text"},
      {"\xEF\xBB\xBF\xEF\xBB\xBF" + std::string(kHeader), "m.tsv:1:", "no column 'id'", "columns"},
      {std::string(kHeader) + std::string(2 << 20, 'x') + "\n", "m.tsv:2:", "line of 2097152 bytes",
       "corrupt"},
  };
  for (const auto& [content, place, what, reason] : cases) {
    const auto [message, found_reason] = refusal(content);
    EXPECT_THAT(message, HasSubstr("/d/" + place)) << what;
    EXPECT_THAT(message, HasSubstr(what));
    EXPECT_EQ(found_reason, reason) << what;
    EXPECT_LT(message.size(), 400U) << what;
  }
}

TEST(Manifest, SaysHowToMakeAMissingOne) {
  try {
    (void)read_manifest("/nowhere/m.tsv");
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("/nowhere/m.tsv"));
    EXPECT_THAT(error.what(), HasSubstr("raven prepare"));
  }
}

TEST(Manifest, ReadsPublishedLists) {
  const auto manifest = parse_manifest(
      "lrs3,test/0Fi83BHQsMA/00002.avi,41,1005 811 442\nlrs3,test/b.avi,12,\n", "/d/test.csv");
  ASSERT_EQ(manifest.utterances.size(), 2U);
  const auto& u = manifest.utterances[0];
  EXPECT_EQ(u.id, "test/0Fi83BHQsMA/00002");
  EXPECT_EQ(u.video.file, "/d/test/0Fi83BHQsMA/00002.avi");
  EXPECT_EQ(u.audio.file, "/d/test/0Fi83BHQsMA/00002.wav");
  EXPECT_EQ(u.frames, 41);
  EXPECT_EQ(u.text, "1005 811 442");
  EXPECT_EQ(u.source, "lrs3");
  EXPECT_EQ(u.grey, corpus::Grey::kColour);
}

TEST(Manifest, TellsTheGreyOfPictures) {
  const TemporaryFolder folder;
  auto manifest = parse_manifest(
      "id\tgrey\tvideo\tframes\na\tpublished\ta.mp4\t5\nb\t\tb.mp4\t5\nc\tcolour\tc.avi\t5\n",
      folder.path() / "m.tsv");
  const auto kinds = [&] {
    std::vector<corpus::Grey> found;
    for (const auto& utterance : manifest.utterances) found.push_back(utterance.grey);
    return found;
  };
  const std::vector<corpus::Grey> expected = {corpus::Grey::kPublished, corpus::Grey::kLuma,
                                              corpus::Grey::kColour};
  EXPECT_EQ(kinds(), expected);
  write_manifest(manifest);
  manifest = read_manifest(manifest.file);
  EXPECT_EQ(kinds(), expected);
  EXPECT_THAT(refusal("id\tvideo\tframes\tgrey\na\ta.mp4\t5\tGREY\n").first,
              HasSubstr("m.tsv:2: grey is 'GREY', expected luma, published, colour or nothing"));
}

TEST(Manifest, LooksForPublishedClipsBelowTheirTag) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() / "vox2");
  write_file_atomically(folder.path() / "l.csv", "vox2,a.avi,5,\nlrs3,b.avi,5,\n");
  const auto manifest = read_manifest(folder.path() / "l.csv");
  EXPECT_EQ(manifest.utterances[0].video.file, folder.path() / "vox2/a.avi");
  EXPECT_EQ(manifest.utterances[1].video.file, folder.path() / "b.avi");
}

TEST(Manifest, TakesPublishedVideoAndSoundFromRootsOfTheirOwn) {
  const TemporaryFolder folder;
  const auto video = folder.path() / "video", audio = folder.path() / "audio";
  std::filesystem::create_directories(video / "vox2");
  std::filesystem::create_directories(audio / "lrs3");
  std::filesystem::create_directories(folder.path() / "lists" /
                                      "vox2");  // beside the list: not asked
  const auto list = folder.path() / "lists" / "l.csv";
  write_file_atomically(list, "vox2,x/a.avi,5,\nlrs3,b.avi,5,\n");
  const auto both = read_manifest(list, {.video = video, .audio = audio}).utterances;
  EXPECT_EQ(both[0].video.file, video / "vox2/x/a.avi");
  EXPECT_EQ(both[0].audio.file, audio / "x/a.wav");
  EXPECT_EQ(both[1].video.file, video / "b.avi");
  EXPECT_EQ(both[1].audio.file, audio / "lrs3/b.wav");
  const auto one = read_manifests({list}, {.video = {}, .audio = audio}).utterances;
  EXPECT_EQ(one[0].video.file, folder.path() / "lists/vox2/x/a.avi");
  EXPECT_EQ(one[0].audio.file, audio / "x/a.wav");
  // A manifest's own paths are as it says.
  EXPECT_EQ(parse_manifest(std::string(kHeader) + "a\ta.mp4\t\t5\t\n", "/d/m.tsv",
                           {.video = video, .audio = audio})
                .utterances[0]
                .video.file,
            "/d/a.mp4");
}

TEST(Manifest, RefusesARootThatIsNotThere) {
  const TemporaryFolder folder;
  config::MediaRootsConfig roots;
  EXPECT_TRUE(media_roots(roots).video.empty());
  roots.video_root = folder.path().string();
  EXPECT_EQ(media_roots(roots).video, folder.path());
  roots.audio_root = (folder.path() / "none").string();
  try {
    (void)media_roots(roots);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("data.audio_root: there is no folder " + roots.audio_root));
  }
}

TEST(Manifest, RefusesDamagedPublishedLists) {
  EXPECT_THAT(refusal("lrs3,a.avi,41\n", "l.csv").first, HasSubstr("l.csv:1: 3 fields"));
  EXPECT_THAT(refusal("lrs3,a,41,1\n", "l.csv").first, HasSubstr("l.csv:1: path 'a'"));
  EXPECT_THAT(refusal("lrs3,a.avi,41,1\nlrs3,a.avi,41,1\n", "l.csv").first,
              HasSubstr("l.csv:2: id 'a'"));
  EXPECT_THAT(refusal("lrs3,a.avi,x,1\n", "l.csv").first, HasSubstr("frames is 'x'"));
}

TEST(Manifest, OfSeveralIsWrittenWithTheOthersOrNotAtAll) {
  const TemporaryFolder folder;
  auto list = parse_manifest("id\tvideo\tframes\na\ta.mp4\t5\n", folder.path() / "a.tsv");
  auto other = list;
  other.file = folder.path() / "nowhere/b.tsv";
  write_file_atomically(list.file, "before");
  EXPECT_THROW(write_manifests({list, other}), SystemError);
  EXPECT_EQ(read_file(list.file), "before");
  other.file = folder.path() / "b.tsv";
  write_manifests({list, other});
  EXPECT_EQ(read_manifest(list.file).utterances.size(), 1U);
  EXPECT_EQ(read_file(list.file), read_file(other.file));
}

TEST(Manifest, ReadsWhatItWrote) {
  const TemporaryFolder folder;
  Manifest manifest;
  manifest.file = folder.path() / "m.tsv";
  manifest.utterances = {{.id = "a",
                          .video = {folder.path() / "shards/0.tar", "a.mp4"},
                          .audio = {folder.path() / "shards/0.tar", "a.wav"},
                          .frames = 30,
                          .text = "TWO\tLINES\nHERE",
                          .speaker = "s",
                          .subset = "train",
                          .source = "lrs3"},
                         {.id = "b",
                          .video = {"/other/b.mp4", ""},
                          .audio = {},
                          .frames = 1,
                          .text = "",
                          .speaker = "",
                          .subset = "",
                          .source = ""}};
  write_manifest(manifest);
  const auto text = read_file(manifest.file);
  EXPECT_THAT(
      text,
      HasSubstr("a\tshards/0.tar/a.mp4\tshards/0.tar/a.wav\t30\tTWO LINES HERE\ts\ttrain\tlrs3\n"));
  const auto again = read_manifest(manifest.file);
  ASSERT_EQ(again.utterances.size(), 2U);
  EXPECT_EQ(again.utterances[0].video.file, manifest.utterances[0].video.file);
  EXPECT_EQ(again.utterances[0].video.member, "a.mp4");
  EXPECT_EQ(again.utterances[1].video.file, "/other/b.mp4");
  EXPECT_TRUE(again.utterances[1].audio.empty());
  EXPECT_EQ(again.utterances[1].frames, 1);
}

TEST(Manifest, RefusesToWriteIdsThatItCouldNotReadBack) {
  const TemporaryFolder folder;
  Manifest manifest;
  manifest.file = folder.path() / "m.tsv";
  manifest.utterances.resize(1);
  manifest.utterances[0].id = "a\tb";
  manifest.utterances[0].video.file = "/v.mp4";
  EXPECT_THROW(write_manifest(manifest), DataError);
  EXPECT_FALSE(std::filesystem::exists(manifest.file));
}

TEST(Manifest, JoinsSeveralAndRefusesCommonIds) {
  const TemporaryFolder folder;
  const auto a = folder.path() / "a.tsv", b = folder.path() / "b.tsv";
  write_file_atomically(a, std::string(kHeader) + "a\ta.mp4\t\t5\t\n");
  write_file_atomically(b, std::string(kHeader) + "b\tb.mp4\t\t6\t\n");
  const auto both = read_manifests({a, b});
  EXPECT_EQ(both.total_frames(), 11);
  EXPECT_EQ(both.file, a);
  EXPECT_EQ(both.utterances[1].origin.text(), b.string() + ":2");
  EXPECT_EQ(both.names(), a.string() + ", " + b.string());
  write_file_atomically(b, std::string(kHeader) + "b\tb.mp4\t\t6\t\na\tb.mp4\t\t6\t\n");
  try {
    (void)read_manifests({a, b});
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr(b.string() + ":3: id 'a' stands in " + a.string() + ":2"));
  }
}

TEST(Manifest, RefusesAFolderAsAWrongArgument) {
  const TemporaryFolder folder;
  EXPECT_THROW(read_manifest(folder.path()), ConfigError);
}

}  // namespace
}  // namespace raven::data
