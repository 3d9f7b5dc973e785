// Films without landmarks: their faces are found, and kept.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <span>

#include "corpus/make_corpus.h"
#include "data/refused_options.h"
#include "faces/model_bytes.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/corpus/landmarks.h"
#include "raven/corpus/npy.h"
#include "raven/data/found_faces.h"
#include "raven/data/manifest.h"
#include "raven/data/preparation.h"
#include "raven/data/shard.h"
#include "support/drawn_faces.h"
#include "support/phone_film.h"
#include "support/temporary_folder.h"

namespace raven::data {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

class FoundFaces : public testing::Test {
 protected:
  FoundFaces() {
    options.inputs = {input()};
    options.output = folder_.path() / "out";
    options.layout = corpus::Layout::kFolder;
    options.clip.format = corpus::StorageFormat::kRaw;
    options.workers = 2;
  }

  static DrawnFilm film_of_a_face(std::int64_t frames = 16) {
    DrawnFilm film(frames);
    draw(film, {.end = 12});
    return film;
  }
  void write(const std::string& name, const DrawnFilm& film) const {
    corpus::write_bytes(input() / name, mp4_of(film));
  }
  [[nodiscard]] fs::path input() const { return folder_.path() / "films"; }
  [[nodiscard]] fs::path kept(const std::string& name) const {
    return options.output / "landmarks" / name;
  }
  [[nodiscard]] std::string verdicts() const { return read_file(options.output / "verdicts.tsv"); }
  PreparationOptions options;

 private:
  TemporaryFolder folder_;
};

TEST_F(FoundFaces, MakeCropsAndTellTheirShare) {
  write("ann/a.mp4", film_of_a_face());
  write("b.mp4", DrawnFilm(16));
  const auto summary = prepare(options);
  EXPECT_THAT(summary.clips_by_verdict, UnorderedElementsAre(Pair("ok", 1), Pair("no-face", 1)));
  EXPECT_THAT(verdicts(), AllOf(HasSubstr("a face found in 12 of 16 frames (75 %), the others "
                                          "filled in"),
                                HasSubstr("b.mp4: no frame has a face")));
  const auto faces = corpus::read_landmarks(read_file(kept("ann/a.npy")), "kept");
  ASSERT_EQ(faces.count, 16);
  EXPECT_FALSE(corpus::is_missing(faces.at(11)));
  EXPECT_TRUE(corpus::is_missing(faces.at(12)));
}

TEST_F(FoundFaces, ServeAsLandmarksOfTheirFilms) {
  write("a.mp4", film_of_a_face());
  prepare(options);
  auto given = options;
  given.output = options.output.parent_path() / "given";
  given.landmarks = options.output / "landmarks";
  prepare(given);
  EXPECT_EQ(read_file(given.output / "shards/clips-00000.tar"),
            read_file(options.output / "shards/clips-00000.tar"));
}

TEST_F(FoundFaces, OfAPhonesFilmGiveTheCropsOfTheUprightOne) {
  DrawnFilm film(12, 224, 300);
  draw(film, {.left = 50});
  corpus::write_bytes(input() / "phone.mov", phone_film(film, true));
  corpus::write_bytes(input() / "upright.avi", media::encode_avi(film.view()));
  EXPECT_THAT(prepare(options).clips_by_verdict, UnorderedElementsAre(Pair("ok", 2)));
  EXPECT_THAT(verdicts(), HasSubstr("rotation of 90 degrees, landmarks of the displayed picture"));
  EXPECT_EQ(read_file(kept("phone.npy")), read_file(kept("upright.npy")));
  const auto manifest = read_manifest(options.output / "manifest.tsv");
  const auto crops = [&](std::size_t i) {
    const auto& video = manifest.utterances.at(i).video;
    const Shard shard(video.file);
    const auto bytes = shard.read(video.member);
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  };
  EXPECT_EQ(crops(0), crops(1));
}

TEST_F(FoundFaces, AreNotLookedForTwice) {
  write("a.mp4", film_of_a_face());
  prepare(options);
  const auto tar = read_file(options.output / "shards/clips-00000.tar");
  // The shard is lost, and what was found says that the face is elsewhere: it is believed.
  for (const auto* name : {"clips-00000.tar", "clips-00000.tsv", "clips-00000.verdicts.tsv"})
    fs::remove(options.output / "shards" / name);
  auto points = read_file(kept("a.npy"));
  prepare(options);
  EXPECT_EQ(read_file(options.output / "shards/clips-00000.tar"), tar);
  for (const auto* name : {"clips-00000.tar", "clips-00000.tsv", "clips-00000.verdicts.tsv"})
    fs::remove(options.output / "shards" / name);
  for (std::size_t t = 12; t < 16; ++t)  // faces of earlier frames in the four without one
    points.replace(128 + t * 68 * 8, 68 * 8, points, 128 + 5 * 68 * 8, 68 * 8);
  corpus::write_bytes(kept("a.npy"), points);
  prepare(options);
  EXPECT_THAT(verdicts(), HasSubstr("a face found in 16 of 16 frames (100 %); without sound\t"));
}

TEST_F(FoundFaces, AreFoundAnewWhenAClipIsTriedAgain) {
  write("a.mp4", DrawnFilm(16));
  EXPECT_THAT(prepare(options).clips_by_verdict, UnorderedElementsAre(Pair("no-face", 1)));
  write("a.mp4", film_of_a_face());
  options.retry_failed = true;
  EXPECT_THAT(prepare(options).clips_by_verdict, UnorderedElementsAre(Pair("ok", 1)));
}

TEST_F(FoundFaces, OfAStoppedSearchAreNone) {
  write("a.mp4", film_of_a_face());
  std::stop_source stop;
  stop.request_stop();
  FoundFaceStore store(options.output / "landmarks", {}, {});
  corpus::SourceClip clip;
  clip.id = "a";
  clip.video = options.inputs.front() / "a.mp4";
  EXPECT_THROW(static_cast<void>(store.of(clip, {.stop = stop.get_token()})), faces::SearchStopped);
  EXPECT_FALSE(fs::exists(kept("a.npy")));
  EXPECT_EQ(store.of(clip).count, 16);
}

TEST_F(FoundFaces, DamagedOnesAreFoundAnew) {
  write("a.mp4", film_of_a_face());
  corpus::write_bytes(kept("a.npy"), "half a file");
  EXPECT_THAT(prepare(options).clips_by_verdict, UnorderedElementsAre(Pair("ok", 1)));
}

TEST_F(FoundFaces, OfOneFolderAreFoundAlike) {
  write("a.mp4", film_of_a_face());
  prepare(options);
  write("b.mp4", film_of_a_face());
  options.face = faces::FaceChoice::kCentral;
  EXPECT_THAT(config_error(options),
              AllOf(HasSubstr("found.json"), HasSubstr("found with face largest,"),
                    HasSubstr("now it is central")));
  options.face = faces::FaceChoice::kLargest;
  options.landmark_model = input() / "small.dat";
  corpus::write_bytes(options.landmark_model, faces::small_model());
  EXPECT_THAT(config_error(options), HasSubstr("found with model "));
}

TEST_F(FoundFaces, NeedAModelThatIsOne) {
  write("a.mp4", film_of_a_face());
  options.landmark_model = input() / "a.mp4";
  EXPECT_THAT(config_error(options),
              AllOf(HasSubstr("a.mp4: no landmark model"), HasSubstr("libdlib-data")));
  options.landmark_model = input() / "none.dat";
  EXPECT_THAT(config_error(options), HasSubstr("no such landmark model"));
}

TEST_F(FoundFaces, AreNotWantedWhereAFolderOfLandmarksIsGiven) {
  write("a.mp4", film_of_a_face());
  options.landmarks = input() / "points";
  fs::create_directories(options.landmarks);
  EXPECT_THAT(prepare(options).clips_by_verdict,
              UnorderedElementsAre(Pair("missing-landmarks", 1)));
}

TEST_F(FoundFaces, AreNotNeededByCrops) {
  DrawnFilm film(14, 96, 96);
  for (std::size_t i = 0; i < film.pixels.size(); ++i)
    film.pixels[i] = static_cast<std::uint8_t>(i / 96 % 200 + i / 9216);
  corpus::write_bytes(input() / "a.avi", media::encode_avi(film.view()));
  EXPECT_THAT(prepare(options).clips_by_verdict, UnorderedElementsAre(Pair("ok", 1)));
  EXPECT_THAT(verdicts(), HasSubstr("96 x 96 pixels: taken for a crop of the mouth, as it is"));
  const auto manifest = read_manifest(options.output / "manifest.tsv");
  const auto& video = manifest.utterances.at(0).video;
  const Shard shard(video.file);
  const auto pixels = shard.read(video.member).last(film.pixels.size());
  EXPECT_TRUE(std::ranges::equal(pixels, std::as_bytes(std::span(film.pixels))));
}

}  // namespace
}  // namespace raven::data
