#include "synth/speaker.h"

#include <algorithm>
#include <array>
#include <string>

#include "synth/draws.h"

namespace raven::synth {
namespace {

using cv::Vec3f;

cv::Vec3f skin_tone(Random& random) {
  static const std::array<Vec3f, 7> kTones = {
      Vec3f(168, 195, 236), Vec3f(150, 180, 226), Vec3f(130, 162, 212), Vec3f(105, 140, 196),
      Vec3f(80, 113, 168),  Vec3f(58, 84, 130),   Vec3f(44, 64, 102)};
  const double place = random.uniform(0, 5.99);
  const auto below = static_cast<std::size_t>(place);
  const auto share = static_cast<float>(place - static_cast<double>(below));
  return kTones[below] * (1 - share) + kTones[below + 1] * share;
}

/// A grey with a tint: the same brightness in all channels, and a little more or less in each.
Vec3f tinted_grey(Random& random, double low, double high, double tint) {
  const double grey = random.uniform(low, high);
  const auto channel = [&] { return static_cast<float>(grey + clipped_normal(random, tint)); };
  const float blue = channel(), green = channel(), red = channel();
  return {blue, green, red};
}

void draw_colours(Speaker& s, Random& random) {
  static const std::array<Vec3f, 6> kHair = {Vec3f(18, 20, 26),    Vec3f(28, 38, 58),
                                             Vec3f(40, 62, 98),    Vec3f(70, 120, 175),
                                             Vec3f(120, 125, 130), Vec3f(25, 45, 100)};
  static const std::array<Vec3f, 4> kEyes = {Vec3f(40, 60, 85), Vec3f(120, 95, 60),
                                             Vec3f(70, 95, 70), Vec3f(25, 35, 50)};
  s.skin = skin_tone(random);
  const auto red = static_cast<float>(random.uniform(0.55, 1) + (s.female ? 0.25 : 0));
  s.lips = {s.skin[0] * (0.88F - 0.18F * red), s.skin[1] * (0.80F - 0.20F * red),
            std::min(235.0F, s.skin[2] * (0.93F - 0.02F * red))};
  s.hair = pick(kHair, random);
  s.eyes = pick(kEyes, random);
  s.clothes = tinted_grey(random, 30, 170, 22);
  s.background = tinted_grey(random, 50, 200, 18);
}

void draw_shape(Speaker& s, Random& random) {
  const auto around = [&](double mean, double deviation) {
    return mean + clipped_normal(random, deviation);
  };
  s.mouth_width = around(26, 1.6);
  s.upper_lip = around(s.female ? 6.0 : 5.0, 0.8);
  s.lower_lip = around(s.female ? 8.2 : 7.2, 0.9);
  s.cupid_bow = random.uniform(0.4, 1.2);
  s.face_width = around(s.female ? 57 : 59, 2.5);
  s.jaw_width = around(s.female ? 41 : 47, 2.5);
  s.chin_y = around(197, 2.5);
  s.mouth_y = around(155, 1.5);
  s.nose_width = around(12.5, 1.4);
  s.eye_distance = around(27, 1.2);
  s.eye_y = around(97, 1.5);
  s.brow_height = around(13, 1.2);
  s.hair_top_y = around(40, 4);
  if (!s.female) {
    s.stubble = random.chance(0.55) ? random.uniform(0.05, 0.5) : 0;
    s.moustache = random.chance(0.2) ? random.uniform(0.3, 0.8) : 0;
  }
  s.teeth_brightness = random.uniform(0.84, 0.98);
  s.tooth_gap = random.chance(0.15);
  s.mouth_asymmetry = clipped_normal(random, 0.05);
  s.mouth_corner = clipped_normal(random, 0.8);
  s.cheek_fold = random.uniform(0.25, 0.9);
}

void draw_camera(Speaker& s, Random& random) {
  const auto around = [&](double mean, double deviation) {
    return mean + clipped_normal(random, deviation);
  };
  s.light_x = random.uniform(-0.5, 0.5);
  s.light_y = random.uniform(-0.6, -0.25);
  s.ambient = random.uniform(0.5, 0.75);
  s.camera_gain = random.uniform(0.82, 1.12);
  s.warmth = around(0, 0.05);
  s.sensor_noise = random.uniform(1.2, 4.5);
  s.lens_blur = random.uniform(0.3, 0.8);
  s.yaw = around(0, 0.07);
  s.pitch = around(0, 0.04);
  s.roll = around(0, 0.025);
  s.scale = around(1, 0.03);
  s.shift_x = around(0, 2);
  s.shift_y = around(0, 2);
}

Voice draw_voice(bool female, Random& random) {
  static const std::array<const char*, 7> kAccents = {
      "en-us", "en-us", "en-us", "en", "en-gb-x-rp", "en-gb-scotland", "en-us-nyc"};
  static const std::array<const char*, 24> kMen = {
      "",          "+m1",     "+m2",     "+m3",   "+m4",   "+m5",     "+m6",  "+m7",
      "+klatt",    "+klatt2", "+klatt3", "+Alex", "+Andy", "+Gene",   "+Lee", "+Mike",
      "+benjamin", "+david",  "+edward", "+max",  "+paul", "+quincy", "+rob", "+john"};
  static const std::array<const char*, 13> kWomen = {
      "+f1",     "+f2",      "+f3",    "+f4",    "+f5",    "+Andrea", "+Annie",
      "+Alicia", "+belinda", "+linda", "+steph", "+anika", "+aunty"};
  Voice voice;
  voice.name = pick(kAccents, random);
  voice.name += female ? pick(kWomen, random) : pick(kMen, random);
  voice.pitch = 50 + static_cast<int>(clipped_normal(random, 14));
  voice.range = 45 + static_cast<int>(clipped_normal(random, 15));
  voice.words_per_minute = 150 + static_cast<int>(clipped_normal(random, 14));
  return voice;
}

}  // namespace

Speaker Speaker::random(std::uint64_t seed, std::int64_t number) {
  auto random = stream(seed, Purpose::kSpeaker, number);
  Speaker s;
  s.female = number % 2 == 1;
  s.texture_seed = random.bits();
  draw_colours(s, random);
  draw_shape(s, random);
  draw_camera(s, random);
  s.style = {.gain = 1 + clipped_normal(random, 0.09),
             .speed = 1 + clipped_normal(random, 0.08),
             .rest_aperture = std::max(0.0, clipped_normal(random, 0.02)),
             .rest_spread = clipped_normal(random, 0.06)};
  s.voice = draw_voice(s.female, random);
  return s;
}

}  // namespace raven::synth
