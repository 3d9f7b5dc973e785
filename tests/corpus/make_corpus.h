// Clips with landmarks and sound, made on the spot.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace raven::corpus {

/// Frame i is grey of value 2 i + `shade` all over, so that a crop tells where it came from; the
/// sound is a ramp from -1 to 1. The mouth moves a little.
struct TestClip {
  std::int64_t frames = 20;
  int rate_hz = 25;  // frames per second of the file
  int shade = 0;
  bool has_video = true, has_audio = true, has_landmarks = true;
  double sound_share = 1;             // length of the sound by that of the pictures
  std::int64_t landmark_frames = -1;  // -1: as many as frames
  std::int64_t missing_face = -1;     // a frame without detection
  std::string text;                   // content of the .txt file; empty: none
};

/// Writes `folder`/`name`, its .txt, and `folder`/landmarks/<name without ending>.npy.
void write_clip(const std::filesystem::path& folder, const std::filesystem::path& name,
                const TestClip& clip = {});

/// A .npy file of float32 (frames, 68, 2).
std::string landmark_file(std::int64_t frames, std::int64_t missing_face = -1);

/// Writes bytes as they are; makes folders.
void write_bytes(const std::filesystem::path& file, const std::string& bytes);

}  // namespace raven::corpus
