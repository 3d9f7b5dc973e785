// Which face each frame of a film takes, and how its mouth is cut: what preparation and streams
// share.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "raven/corpus/grey.h"
#include "raven/corpus/landmarks.h"
#include "raven/corpus/mouth_crop.h"
#include "raven/media/media.h"
#include "raven/media/video_reader.h"

namespace raven::corpus {

inline constexpr std::size_t kCropBytes = std::size_t{kCropSize} * kCropSize;

// Note [Faces of pictures]
// A face belongs to a picture of the file, and a frame at 25 per second takes the face of the
// picture that it shows, at whatever times the pictures come. Only a decoder knows for certain
// which picture that is, but smoothing looks ahead, and holding pictures back or decoding them
// twice costs too much. So the order is guessed first (one after another where the header says 25
// per second, else from the times of the packets), used, and compared with what was decoded. Where
// the guess was wrong, which is rare, the clip is decoded once more.
//
// Landmarks may also have been made after a conversion to 25 frames a second. Their number tells.
//
// A picture that cannot be decoded is left out of what a decoder counts. Where the number of
// landmarks is that of the packets, they count it, and pictures are numbered by their packets.

/// Which face each frame at 25 per second takes; empty: frame k takes face k.
using FaceOrder = std::optional<std::vector<std::int64_t>>;

bool is_one_after_another(const std::vector<std::int64_t>& order);
FaceOrder face_order(const media::PictureTimes& times, std::int64_t num_faces);

/// Empty where the packets cannot be read.
std::optional<media::PictureTimes> pictures_of_packets(const std::filesystem::path& film,
                                                       const media::Limits& limits);
/// What was decoded, in the numbers that so many faces were made by.
media::PictureTimes times_for_faces(media::PictureTimes decoded, std::int64_t num_faces,
                                    const std::filesystem::path& film, const media::Limits& limits);
/// A remark where the number of landmarks is a little off, or "". Throws DataError ("landmarks")
/// where it is that of another film.
std::string check_lengths(const media::PictureTimes& times, std::int64_t num_faces,
                          const std::string& landmarks);

std::vector<MouthCrop> plan_crops(const FittedFaces& fitted, const FaceOrder& order,
                                  const std::vector<double>& starts_s);

/// How pictures are read that become crops of this grey.
media::VideoOptions read_as(Grey grey, const media::Limits& limits);

/// A picture of a crop's size as a crop.
void copy_grey(const ImageView& picture, std::span<std::uint8_t> crop);

/// Of a colour picture the crop is grey as published.
void crop_grey(const ImageView& image, const MouthCrop& how, std::span<std::uint8_t> crop);

}  // namespace raven::corpus
