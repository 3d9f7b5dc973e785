// Faces found in films, decoding included, on one core; one JSON line for each film.
//   faces_bench [--every-frame] FILE...     without files: a drawn face, 224 x 224
// --every-frame compares with what dlib finds when it searches each frame by itself.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "faces/face_detector.h"
#include "faces/grey_picture.h"
#include "raven/corpus/landmarks.h"
#include "raven/faces/face_finder.h"
#include "raven/media/media_writer.h"
#include "raven/media/video_reader.h"
#include "support/drawn_faces.h"

namespace {

using namespace raven;

double processor_s() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

bool is_seen(const corpus::FacePoints& face) { return !std::isnan(face.front().x); }

corpus::Point mouth_of(const corpus::FacePoints& face) {
  corpus::Point sum;
  for (auto i = corpus::kFirstMouthPoint; i < face.size(); ++i)
    sum.x += face[i].x, sum.y += face[i].y;
  const auto count = static_cast<double>(face.size() - corpus::kFirstMouthPoint);
  return {sum.x / count, sum.y / count};
}

/// The largest face of each frame as it is displayed; small pictures doubled, as the finder does.
std::vector<corpus::FacePoints> search_each_frame(const media::Source& film,
                                                  const faces::LandmarkModel& model) {
  faces::FaceDetector detector;
  media::VideoReader reader(film);
  std::vector<corpus::FacePoints> found;
  while (const auto frame = reader.next()) {
    const auto shown =
        corpus::shown({frame->pixels, frame->height, frame->width, frame->channels, frame->stride},
                      reader.turn());
    const bool is_small = std::max(shown.height, shown.width) <= 200;
    auto picture = faces::shrunk(shown, 1);
    if (is_small) picture = faces::doubled(picture.view());
    const auto detections = detector.find(picture.view());
    found.push_back(faces::no_face());
    if (detections.empty()) continue;
    const auto largest = std::ranges::max(detections, {}, [](const faces::Detection& detection) {
      return detection.box.right - detection.box.left;
    });
    found.back() = model.points(picture.view(), largest.box);
    if (!is_small) continue;
    for (auto& point : found.back()) point = {(point.x + 0.5) / 2 - 0.5, (point.y + 0.5) / 2 - 0.5};
  }
  return found;
}

std::string comparison(const std::vector<corpus::FacePoints>& points,
                       const std::vector<corpus::FacePoints>& each) {
  std::int64_t with = 0, both = 0, near = 0, only_here = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const bool is_there = is_seen(each.at(i)), is_here = is_seen(points[i]);
    with += is_there ? 1 : 0;
    only_here += is_here && !is_there ? 1 : 0;
    if (!is_here || !is_there) continue;
    ++both;
    const auto a = mouth_of(points[i]), b = mouth_of(each[i]);
    near += std::hypot(a.x - b.x, a.y - b.y) <= 2 ? 1 : 0;
  }
  const auto share = [](std::int64_t part, std::int64_t whole) {
    return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 1.0;
  };
  return fmt::format(
      R"(, "every_frame": {}, "found_of_those": {:.4f}, "mouths_within_2_pixels": {:.4f}, "found_besides": {})",
      with, share(both, with), share(near, both), only_here);
}

void measure(const media::Source& film, const faces::FaceFinder& finder, bool compare) {
  const auto start_s = processor_s();
  const auto found = finder.find(film);
  const auto took_s = processor_s() - start_s;
  const auto more =
      compare ? comparison(found.points, search_each_frame(film, finder.model())) : std::string();
  std::printf(
      "%s\n",
      fmt::format(
          R"({{"film": "{}", "frames": {}, "frames_per_s": {:.1f}, "with_face": {}, "faces": {}, "cuts": {}{}}})",
          film.name(), found.points.size(), static_cast<double>(found.points.size()) / took_s,
          found.frames_with_face, found.tracks.size(), found.cuts.size(), more)
          .c_str());
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> files(argv + 1, argv + argc);
  const bool compare = std::erase(files, "--every-frame") > 0;
  try {
    const faces::FaceFinder finder(
        std::make_shared<faces::LandmarkModel>(faces::kDefaultLandmarkModel));
    if (files.empty()) {
      DrawnFilm drawn(250);
      draw(drawn, {});
      const auto film = mp4_of(drawn);
      const media::Source source(std::as_bytes(std::span(film)), "drawn");
      static_cast<void>(finder.find(source));  // warm-up
      measure(source, finder, compare);
    }
    for (const auto& file : files)
      measure(media::Source(std::filesystem::path(file)), finder, compare);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
