#include "faces/grey_picture.h"

#include <algorithm>
#include <cmath>
#include <cstring>

// This file is compiled without fused multiply-add: detections are the same on every machine.

namespace raven::faces {
namespace {

/// Where the pixels of a row or column of a cut-out come from: `num` for each, next to each other.
struct Sampling {
  std::int64_t num = 1;
  std::vector<std::int64_t> at;
};

Sampling means_along(double first, double side, std::int64_t size, std::int64_t available) {
  const auto scale = side / static_cast<double>(size);
  Sampling sampling{.num = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(scale)))};
  const auto step = scale / static_cast<double>(sampling.num);
  for (std::int64_t i = 0; i < size * sampling.num; ++i) {
    const auto at = std::floor(first + (static_cast<double>(i) + 0.5) * step);
    sampling.at.push_back(
        static_cast<std::int64_t>(std::clamp(at, 0.0, static_cast<double>(available - 1))));
  }
  return sampling;
}

GreyPicture means(const GreyView& picture, const Square& square, std::int64_t size) {
  const auto across = means_along(square.left, square.side, size, picture.width);
  const auto down = means_along(square.top, square.side, size, picture.height);
  const auto area = static_cast<unsigned>(across.num * down.num);
  GreyPicture cut{.height = size, .width = size, .pixels = {}};
  cut.pixels.resize(static_cast<std::size_t>(size * size));
  std::vector<unsigned> sums(static_cast<std::size_t>(size));
  for (std::int64_t y = 0; y < size; ++y) {
    std::ranges::fill(sums, area / 2);
    for (std::int64_t k = 0; k < down.num; ++k) {
      const auto* row =
          picture.pixels + down.at[static_cast<std::size_t>(y * down.num + k)] * picture.stride;
      const auto* at = across.at.data();
      for (auto& sum : sums) {
        for (std::int64_t i = 0; i < across.num; ++i) sum += row[*at++];
      }
    }
    std::ranges::transform(sums, cut.pixels.begin() + y * size,
                           [&](unsigned sum) { return static_cast<std::uint8_t>(sum / area); });
  }
  return cut;
}

/// Two neighbours and the share of the second, of 256.
struct Between {
  std::int64_t first = 0, second = 0;
  int share = 0;
};

std::vector<Between> between_along(double first, double side, std::int64_t size,
                                   std::int64_t available) {
  std::vector<Between> list;
  const auto last = static_cast<double>(available - 1);
  for (std::int64_t i = 0; i < size; ++i) {
    const auto at = first + (static_cast<double>(i) + 0.5) * side / static_cast<double>(size) - 0.5;
    const auto clamped = std::clamp(at, 0.0, last);
    const auto whole = static_cast<std::int64_t>(clamped);
    list.push_back({.first = whole,
                    .second = std::min(whole + 1, available - 1),
                    .share = static_cast<int>((clamped - static_cast<double>(whole)) * 256)});
  }
  return list;
}

GreyPicture interpolated(const GreyView& picture, const Square& square, std::int64_t height,
                         std::int64_t width, double scale) {
  const auto across =
      between_along(square.left, static_cast<double>(width) * scale, width, picture.width);
  const auto down =
      between_along(square.top, static_cast<double>(height) * scale, height, picture.height);
  GreyPicture cut{.height = height, .width = width, .pixels = {}};
  cut.pixels.resize(static_cast<std::size_t>(height * width));
  auto pixel = cut.pixels.begin();
  for (const auto& y : down) {
    const auto* upper = picture.pixels + y.first * picture.stride;
    const auto* lower = picture.pixels + y.second * picture.stride;
    for (const auto& x : across) {
      const auto above = upper[x.first] * (256 - x.share) + upper[x.second] * x.share;
      const auto below = lower[x.first] * (256 - x.share) + lower[x.second] * x.share;
      *pixel++ =
          static_cast<std::uint8_t>((above * (256 - y.share) + below * y.share + 32768) >> 16);
    }
  }
  return cut;
}

}  // namespace

std::int64_t divisor_for(std::int64_t height, std::int64_t width, std::int64_t most) {
  return std::max<std::int64_t>(1, (std::max(height, width) + most - 1) / most);
}

GreyPicture shrunk(const corpus::ImageView& picture, std::int64_t divisor) {
  const auto step = picture.step();
  GreyPicture small{
      .height = picture.height / divisor, .width = picture.width / divisor, .pixels = {}};
  small.pixels.resize(static_cast<std::size_t>(small.height * small.width));
  const auto area = static_cast<unsigned>(divisor * divisor);
  auto pixel = small.pixels.begin();
  for (std::int64_t y = 0; y < small.height; ++y) {
    const auto* row = picture.pixels + y * divisor * picture.stride;
    if (divisor == 1 && step == 1) {
      std::memcpy(&*pixel, row, static_cast<std::size_t>(small.width));
      pixel += small.width;
      continue;
    }
    for (std::int64_t x = 0; x < small.width; ++x) {
      auto sum = area / 2;
      for (std::int64_t v = 0; v < divisor; ++v) {
        const auto* from = row + v * picture.stride + x * divisor * step;
        for (std::int64_t u = 0; u < divisor; ++u) sum += from[u * step];
      }
      *pixel++ = static_cast<std::uint8_t>(sum / area);
    }
  }
  return small;
}

GreyPicture shrunk(const GreyView& picture, std::int64_t divisor) {
  return shrunk(corpus::ImageView{.pixels = picture.pixels,
                                  .height = picture.height,
                                  .width = picture.width,
                                  .stride = picture.stride},
                divisor);
}

GreyPicture doubled(const GreyView& picture) {
  return interpolated(picture, {}, 2 * picture.height, 2 * picture.width, 0.5);
}

GreyPicture cut_out(const GreyView& picture, const Square& square, std::int64_t size) {
  const auto scale = square.side / static_cast<double>(size);
  return scale > 1 ? means(picture, square, size)
                   : interpolated(picture, square, size, size, scale);
}

}  // namespace raven::faces
