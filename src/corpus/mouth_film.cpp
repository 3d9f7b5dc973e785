#include "raven/corpus/mouth_film.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "corpus/crop_plan.h"
#include "corpus/landmark_table.h"
#include "raven/core/error.h"
#include "raven/media/video_reader.h"

namespace raven::corpus {
namespace {

namespace fs = std::filesystem;

media::PictureTimes decoded_times(const fs::path& film, const media::Limits& limits) {
  media::VideoReader reader(film, {.limits = limits});
  media::PictureTimes times;
  while (reader.next()) times.shown.push_back(reader.picture());
  times.starts_s = reader.picture_starts_s();
  times.start_s = reader.start_s();
  return times;
}

std::string remark_of(const FittedFaces& fitted) {
  const auto all = fitted.faces.count, filled = all - std::ssize(fitted.detected);
  if (filled == 0) return "";
  return fmt::format("{} of {} frames without a face, filled in", filled, all);
}

/// Of the crop's window, in the picture that it is cut from.
std::array<Point, 4> corners_of(const MouthCrop& crop) {
  const auto left = static_cast<double>(crop.window.column),
             top = static_cast<double>(crop.window.row);
  const auto& cut = crop.to_mean_face;
  const auto in_picture = [&](double x, double y) {
    const auto across = x - cut.shift_x, down = y - cut.shift_y;
    const auto scale = cut.cos_part * cut.cos_part + cut.sin_part * cut.sin_part;
    return Point{(cut.cos_part * across + cut.sin_part * down) / scale,
                 (cut.cos_part * down - cut.sin_part * across) / scale};
  };
  return {in_picture(left, top), in_picture(left + kCropSize, top),
          in_picture(left + kCropSize, top + kCropSize), in_picture(left, top + kCropSize)};
}

}  // namespace

struct MouthFilm::State {
  State(const fs::path& film, const MouthFilmOptions& options)
      : reader(film, read_as(options.grey, options.limits)) {}

  [[nodiscard]] FittedFaces fit(const Faces& faces, const std::string& name,
                                const MouthFilmOptions& options) const {
    return fit_to_picture(faces, {.width = reader.width(), .height = reader.height()},
                          reader.turn(), options.landmark_picture, name);
  }
  void keep(FittedFaces fitted, FaceOrder face_order, const std::vector<double>& starts_s) {
    plan = plan_crops(fitted, face_order, starts_s);
    order = std::move(face_order);
    turn = fitted.turned ? reader.turn() : media::Turn{};
    if (const auto filled = remark_of(fitted); !filled.empty())
      remark += (remark.empty() ? "" : "; ") + filled;
    seen = std::move(fitted);
  }

  media::VideoReader reader;
  std::vector<MouthCrop> plan;
  FittedFaces seen;
  FaceOrder order;  // of them
  media::Turn turn;
  std::size_t next = 0;
  bool as_they_are = false;  // nothing is planned
  std::string remark;
  std::vector<std::uint8_t> crop = std::vector<std::uint8_t>(kCropBytes);
};

MouthFilm::MouthFilm(const fs::path& film, const fs::path& landmarks,
                     const MouthFilmOptions& options) {
  const auto file = find_landmark_file(landmarks);
  if (!file) {
    throw DataError(
        fmt::format("{}: no such file; expected an array (frames, 68, 2)", landmarks.string()),
        "missing-landmarks");
  }
  const auto faces = read_landmark_file(*file);
  state_ = std::make_unique<State>(film, options);
  auto fitted = state_->fit(faces, file->string(), options);
  const auto times =
      times_for_faces(decoded_times(film, options.limits), faces.count, film, options.limits);
  state_->remark = check_lengths(times, faces.count, file->string());
  state_->keep(std::move(fitted), face_order(times, faces.count), times.starts_s);
}

MouthFilm::MouthFilm(const fs::path& film, const Faces& faces, const std::string& name,
                     const MouthFilmOptions& options)
    : state_(std::make_unique<State>(film, options)) {
  state_->keep(state_->fit(faces, name, options), std::nullopt, {});
}

MouthFilm::MouthFilm(const fs::path& film, const MouthFilmOptions& options)
    : state_(std::make_unique<State>(film, options)) {
  const auto& reader = state_->reader;
  if (reader.width() != kCropSize || reader.height() != kCropSize) {
    throw DataError(
        fmt::format("{}: frames are {} x {} pixels, expected a mouth crop of {} x {}",
                    film.string(), reader.width(), reader.height(), kCropSize, kCropSize),
        "shape");
  }
  state_->turn = reader.turn();
  state_->as_they_are = true;
}

MouthFilm::~MouthFilm() = default;
MouthFilm::MouthFilm(MouthFilm&&) noexcept = default;
MouthFilm& MouthFilm::operator=(MouthFilm&&) noexcept = default;

const std::string& MouthFilm::remark() const { return state_->remark; }

std::optional<MouthPlace> MouthFilm::place(std::int64_t frame) const {
  const auto& state = *state_;
  if (frame < 0 || frame >= std::ssize(state.plan)) return std::nullopt;
  const auto& crop = state.plan[static_cast<std::size_t>(frame)];
  const auto face = state.order ? (*state.order)[static_cast<std::size_t>(frame)] : frame;
  MouthPlace place{.window = corners_of(crop), .face = {}};
  if (std::ranges::binary_search(state.seen.detected, face)) place.face = state.seen.faces.at(face);
  if (state.seen.turned) return place;
  const auto& reader = state.reader;
  const PictureSize stored{.width = reader.width(), .height = reader.height()};
  for (auto& point : place.window) point = shown_at(point, stored, reader.turn());
  if (!place.face) return place;
  for (auto& point : *place.face) point = shown_at(point, stored, reader.turn());
  return place;
}

std::optional<std::span<const std::uint8_t>> MouthFilm::next() {
  auto& state = *state_;
  if (!state.as_they_are && state.next == state.plan.size()) return std::nullopt;
  const auto frame = state.reader.next();
  if (!frame) return std::nullopt;
  const ImageView stored{frame->pixels, frame->height, frame->width, frame->channels,
                         frame->stride};
  const auto picture = state.turn.is_none() ? stored : shown(stored, state.turn);
  if (state.as_they_are) {
    copy_grey(picture, state.crop);
  } else {
    crop_grey(picture, state.plan[state.next++], state.crop);
  }
  return state.crop;
}

}  // namespace raven::corpus
