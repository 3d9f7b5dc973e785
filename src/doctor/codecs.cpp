#include "raven/doctor/codecs.h"

#include <fcntl.h>
#include <spawn.h>
#include <spdlog/fmt/fmt.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "raven/media/codecs.h"

extern char** environ;

namespace raven::doctor {
namespace {

/// What a codec or container is for; without `needed` it is one that only some corpora use.
struct Wanted {
  const char* name;
  const char* use;
  bool needed = true;
};

constexpr std::array<Wanted, 12> kDecoders = {
    {{"h264", "clips of raven prepare, LRS3, LRS2, VoxCeleb2"},
     {"pcm_s16le", ".wav files of prepared and published lists"},
     {"aac", "the sound of .mp4 files"},
     {"flac", ".flac files"},
     {"mpeg4", ".avi files of published lists", false},
     {"mjpeg", ".avi files of cameras", false},
     {"ffv1", "lossless clips", false},
     {"hevc", "clips of newer cameras", false},
     {"vp9", ".webm files", false},
     {"opus", "the sound of .webm files", false},
     {"mp3", "the sound of older .avi files", false},
     {"pcm_f32le", ".wav files with fractions", false}}};
constexpr std::array<Wanted, 6> kEncoders = {
    {{"pcm_s16le", "sound that raven prepare writes"},
     {"png", "pictures of raven data show and raven evaluate"},
     {"libx264", "clips of raven prepare; --format raw does without, raven synth does not", false},
     {"ffv1", "videos of raven data export", false},
     {"flac", ".flac files", false},
     {"aac", "the sound of raven synth's clips", false}}};
constexpr std::array<Wanted, 5> kDemuxers = {{{"mov", ".mp4 files"},
                                              {"wav", ".wav files"},
                                              {"flac", ".flac files"},
                                              {"avi", ".avi files of published lists", false},
                                              {"matroska", ".mkv and .webm files", false}}};
constexpr std::array<Wanted, 3> kMuxers = {{{"mp4", "clips of raven prepare"},
                                            {"wav", "sound that raven prepare writes"},
                                            {"avi", "videos of raven data export", false}}};

template <class List, class Has>
std::vector<std::string> lacking(const List& list, const Has& has) {
  std::vector<std::string> names;
  for (const auto& wanted : list) {
    if (!has(wanted.name)) names.emplace_back(wanted.name);
  }
  return names;
}

/// Adds what is missing of `list` to `finding`.
template <class List>
void add_missing(const List& list, const std::vector<std::string>& missing, const char* kind,
                 Finding& finding) {
  for (const auto& wanted : list) {
    if (std::find(missing.begin(), missing.end(), wanted.name) == missing.end()) continue;
    finding.level = std::max(finding.level, wanted.needed ? Level::kFailure : Level::kWarning);
    finding.what += fmt::format("{}no {} for {} ({})", finding.what.empty() ? "" : ", ", kind,
                                wanted.name, wanted.use);
  }
}

void explain(Finding& finding, const std::filesystem::path& libavcodec, const char* all_well) {
  if (finding.level == Level::kOk) {
    finding.what = all_well;
    return;
  }
  finding.means = finding.level == Level::kFailure
                      ? "files that raven itself writes or reads cannot be used"
                      : "corpora that hold such files, or commands that make them, fail";
  finding.remedy = fmt::format(
      "{} is an FFmpeg built without them: install the distribution's (apt-get install "
      "libavcodec-extra ffmpeg; RPM Fusion's "
      "ffmpeg-libs), and take another one out of LD_LIBRARY_PATH",
      libavcodec.empty() ? "libavcodec" : libavcodec.string());
}

/// The first line that `program --version` says, and its exit code; 127 when it cannot be started.
int ask_version(const std::filesystem::path& program, std::string& said) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    said = std::strerror(errno);
    return 127;
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  auto name = program.string();
  std::string option = "--version";
  std::array<char*, 3> arguments = {name.data(), option.data(), nullptr};
  pid_t child = -1;
  const int error =
      ::posix_spawn(&child, name.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (error != 0) said = std::strerror(error);
  std::array<char, 512> buffer{};
  for (ssize_t count = 0;
       error == 0 && (count = ::read(ends[0], buffer.data(), buffer.size())) > 0;)
    said.append(buffer.data(), static_cast<std::size_t>(count));
  ::close(ends[0]);
  said = said.substr(0, said.find('\n'));
  if (error != 0) return 127;
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

MissingCodecs read_missing_codecs() {
  return {.decoders = lacking(kDecoders, media::has_decoder),
          .encoders = lacking(kEncoders, media::has_encoder),
          .demuxers = lacking(kDemuxers, media::has_demuxer),
          .muxers = lacking(kMuxers, media::has_muxer)};
}

Findings check_codecs(const MissingCodecs& missing, const std::filesystem::path& libavcodec) {
  Finding decoders{.id = "codecs.decoders"}, encoders{.id = "codecs.encoders"},
      containers{.id = "codecs.containers"};
  add_missing(kDecoders, missing.decoders, "decoder", decoders);
  add_missing(kEncoders, missing.encoders, "encoder", encoders);
  add_missing(kDemuxers, missing.demuxers, "reader", containers);
  add_missing(kMuxers, missing.muxers, "writer", containers);
  explain(decoders, libavcodec, "h264, aac, pcm, flac and those of common corpora");
  explain(encoders, libavcodec, "libx264, ffv1, aac, pcm, flac, png");
  explain(containers, libavcodec, "mp4, avi, matroska, wav, flac");
  return {decoders, encoders, containers};
}

SynthProgram try_synth_program(const std::filesystem::path& file) {
  SynthProgram program{.file = file, .exit_code = 0, .said = ""};
  if (!file.empty()) program.exit_code = ask_version(file, program.said);
  return program;
}

Findings check_synth_program(const SynthProgram& program) {
  Finding finding{.id = "codecs.synth",
                  .what = fmt::format("{}: {}", program.file.string(), program.said)};
  if (program.file.empty()) {
    finding.what = "raven-synth lies neither beside raven nor on PATH";
  } else if (program.exit_code == 0) {
    return {finding};
  }
  finding.level = Level::kWarning;
  finding.means = "raven synth cannot make a corpus; everything else works";
  finding.remedy =
      "install espeak-ng (apt-get install libespeak-ng1 espeak-ng-data; scripts/setup.sh does) and "
      "build raven with "
      "-DRAVEN_SYNTH=ON";
  return {finding};
}

}  // namespace raven::doctor
