#include "corpus/crop_plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "raven/core/error.h"

namespace raven::corpus {
namespace {

bool is_one_for_each_picture(std::int64_t num_faces, const media::PictureTimes& times) {
  return std::abs(num_faces - std::ssize(times.starts_s)) <=
         std::abs(num_faces - std::ssize(times.shown));
}

/// What was decoded, in the numbers of the packets; empty where their times do not tell them.
std::optional<media::PictureTimes> numbered_by_packets(const media::PictureTimes& decoded,
                                                       const media::PictureTimes& packets) {
  if (!decoded.start_s || !packets.start_s) return std::nullopt;
  const auto apart_s = [&](std::size_t packet, double time_s) {
    return std::fabs(*packets.start_s + packets.starts_s[packet] - time_s);
  };
  std::vector<std::int64_t> numbers;
  std::size_t packet = 0;
  for (const auto start_s : decoded.starts_s) {
    const auto time_s = *decoded.start_s + start_s;
    while (packet + 1 < packets.starts_s.size() &&
           apart_s(packet + 1, time_s) <= apart_s(packet, time_s))
      ++packet;
    const auto number = static_cast<std::int64_t>(packet);
    if (!numbers.empty() && numbers.back() >= number) return std::nullopt;
    numbers.push_back(number);
  }
  auto times = packets;
  times.shown.clear();
  for (const auto picture : decoded.shown)
    times.shown.push_back(numbers[static_cast<std::size_t>(picture)]);
  return times;
}

}  // namespace

bool is_one_after_another(const std::vector<std::int64_t>& order) {
  for (std::size_t k = 0; k < order.size(); ++k) {
    if (order[k] != static_cast<std::int64_t>(k)) return false;
  }
  return true;
}

FaceOrder face_order(const media::PictureTimes& times, std::int64_t num_faces) {
  if (!is_one_for_each_picture(num_faces, times)) return std::nullopt;
  const auto end =
      std::ranges::find_if(times.shown, [&](std::int64_t picture) { return picture >= num_faces; });
  std::vector<std::int64_t> order(times.shown.begin(), end);
  if (is_one_after_another(order)) return std::nullopt;
  return order;
}

std::optional<media::PictureTimes> pictures_of_packets(const std::filesystem::path& film,
                                                       const media::Limits& limits) {
  try {
    return media::expect_pictures(film, limits);
  } catch (const MediaError&) {
    return std::nullopt;  // the reader says what is wrong, unless it can do without
  }
}

media::PictureTimes times_for_faces(media::PictureTimes decoded, std::int64_t num_faces,
                                    const std::filesystem::path& film,
                                    const media::Limits& limits) {
  if (std::ssize(decoded.starts_s) >= num_faces) return decoded;
  const auto packets = pictures_of_packets(film, limits);
  if (!packets || std::ssize(packets->starts_s) != num_faces) return decoded;
  return numbered_by_packets(decoded, *packets).value_or(decoded);
}

std::string check_lengths(const media::PictureTimes& times, std::int64_t num_faces,
                          const std::string& landmarks) {
  const auto num_pictures = std::ssize(times.starts_s), num_frames = std::ssize(times.shown);
  const auto fitting = is_one_for_each_picture(num_faces, times) ? num_pictures : num_frames;
  const auto two_frames = 2 * fitting / std::max<std::int64_t>(num_frames, 1);
  const auto tolerated = std::max<std::int64_t>({two_frames, fitting / 50, 2});
  const auto difference = std::abs(fitting - num_faces);
  if (difference > tolerated) {
    const auto found = num_pictures == num_frames
                           ? fmt::format("{}", num_frames)
                           : fmt::format("{} pictures, {} frames at {} a second", num_pictures,
                                         num_frames, media::kFrameRateHz);
    throw DataError(
        fmt::format(
            "{}: landmarks of {} frames, but the video has {}; were they made from this file?",
            landmarks, num_faces, found),
        "landmarks");
  }
  if (difference == 0) return "";
  return fmt::format("landmarks of {} frames, video of {}", num_faces, fitting);
}

std::vector<MouthCrop> plan_crops(const FittedFaces& fitted, const FaceOrder& order,
                                  const std::vector<double>& starts_s) {
  if (!order) {
    const auto faces = fill_gaps(fitted.faces, fitted.detected);
    return plan_mouth_crops(faces, faces.count);
  }
  const auto faces = fill_gaps(fitted.faces, fitted.detected, starts_s);
  const Faces of_frames{.count = std::ssize(*order), .at = [&](std::int64_t frame) {
                          return faces.at((*order)[static_cast<std::size_t>(frame)]);
                        }};
  return plan_mouth_crops(of_frames, of_frames.count);
}

media::VideoOptions read_as(Grey grey, const media::Limits& limits) {
  const bool in_colour = grey == Grey::kPublished;
  return {.format = in_colour ? media::PixelFormat::kPlainRgb : media::PixelFormat::kGrey,
          .limits = limits};
}

void copy_grey(const ImageView& picture, std::span<std::uint8_t> crop) {
  std::vector<std::uint8_t> pixels;
  for (std::int64_t y = 0; y < picture.height; ++y) {
    for (std::int64_t x = 0; x < picture.width; ++x) {
      const auto* pixel = picture.pixels + y * picture.stride + x * picture.step();
      pixels.insert(pixels.end(), pixel, pixel + picture.channels);
    }
  }
  if (picture.channels == 3) return published_grey(pixels, crop);
  std::ranges::copy(pixels, crop.begin());
}

void crop_grey(const ImageView& image, const MouthCrop& how, std::span<std::uint8_t> crop) {
  if (image.channels == 1) return crop_mouth(image, how, crop);
  std::array<std::uint8_t, 3 * kCropBytes> colour;
  crop_mouth(image, how, colour);
  published_grey(colour, crop);
}

}  // namespace raven::corpus
