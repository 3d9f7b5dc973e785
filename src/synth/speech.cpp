#include "synth/speech.h"

#include <espeak-ng/speak_lib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "raven/core/error.h"
#include "synth/pipes.h"

namespace raven::synth {
namespace {

constexpr int kEspeakRate = 22050;
constexpr std::size_t kMaxTextBytes = 1 << 16;

struct Event {  // sent through a pipe
  std::int32_t type, sample, text_position;
  std::array<char, 8> mnemonic;  // not terminated when all eight are used
};

struct Request {
  std::int32_t pitch, range, words_per_minute;
  std::array<char, 64> voice;
  std::uint64_t text_bytes;
};

enum class Outcome : std::uint64_t { kSpoken, kNoVoice, kNoSpeech };

struct ResponseHead {
  Outcome outcome;
  std::uint64_t num_samples, num_events;
};

// What the callback gathers; used only in the child that speaks one sentence.
std::vector<std::int16_t> spoken_samples;
std::vector<Event> spoken_events;

int gather(short* samples, int count, espeak_EVENT* event) {
  if (samples != nullptr && count > 0) {
    spoken_samples.insert(spoken_samples.end(), samples, samples + count);
  }
  for (; event->type != espeakEVENT_LIST_TERMINATED; ++event) {
    const bool phoneme = event->type == espeakEVENT_PHONEME;
    if (!phoneme && event->type != espeakEVENT_WORD) continue;
    Event kept{event->type, event->sample, event->text_position, {}};
    // The bytes after the name's end are not set by espeak-ng.
    if (phoneme)
      std::memcpy(kept.mnemonic.data(), event->id.string, ::strnlen(event->id.string, 8));
    spoken_events.push_back(kept);
  }
  return 0;
}

/// The folder that holds espeak-ng-data in an unpacked archive, <program>/../share; empty when
/// there is none or ESPEAK_DATA_PATH says where to look.
std::string data_beside_program() {
  if (std::getenv("ESPEAK_DATA_PATH") != nullptr) return "";
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return "";
  const auto share = program.parent_path().parent_path() / "share";
  return std::filesystem::is_directory(share / "espeak-ng-data", error) ? share.string() : "";
}

/// Once a process; children inherit it.
void initialise_espeak() {
  static const bool ready = [] {
    const int options = espeakINITIALIZE_PHONEME_EVENTS | espeakINITIALIZE_DONT_EXIT;
    const auto data = data_beside_program();
    const char* path = data.empty() ? nullptr : data.c_str();
    if (espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 200, path, options) != kEspeakRate) {
      throw ConfigError(
          "espeak-ng cannot read its data; install the package espeak-ng-data, or set "
          "ESPEAK_DATA_PATH to the folder that holds espeak-ng-data");
    }
    espeak_SetSynthCallback(gather);
    return true;
  }();
  (void)ready;
}

/// Runs in the child of one sentence.
[[noreturn]] void speak(int responses, const Request& request, const std::string& text) {
  std::srand(1);  // breathy voices draw their noise from rand()
  ResponseHead head{Outcome::kSpoken, 0, 0};
  if (espeak_SetVoiceByName(request.voice.data()) != EE_OK) {
    head.outcome = Outcome::kNoVoice;
  } else {
    espeak_SetParameter(espeakRATE, request.words_per_minute, 0);
    espeak_SetParameter(espeakPITCH, request.pitch, 0);
    espeak_SetParameter(espeakRANGE, request.range, 0);
    const auto status = espeak_Synth(text.c_str(), text.size() + 1, 0, POS_CHARACTER, 0,
                                     espeakCHARS_UTF8 | espeakPHONEMES, nullptr, nullptr);
    if (status != EE_OK || spoken_samples.empty()) head.outcome = Outcome::kNoSpeech;
  }
  head.num_samples = spoken_samples.size();
  head.num_events = spoken_events.size();
  const bool sent =
      write_bytes(responses, &head, sizeof head) &&
      write_bytes(responses, spoken_samples.data(), spoken_samples.size() * sizeof(std::int16_t)) &&
      write_bytes(responses, spoken_events.data(), spoken_events.size() * sizeof(Event));
  _exit(sent ? 0 : 1);
}

/// The helper: one child per request until the request pipe closes.
[[noreturn]] void serve(int requests, int responses) {
  std::signal(SIGINT, SIG_IGN);  // the owner decides when to stop, by closing the pipe
  std::signal(SIGTERM, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);
  Request request{};
  std::string text;
  while (read_bytes(requests, &request, sizeof request)) {
    if (request.text_bytes > kMaxTextBytes) _exit(1);
    text.resize(request.text_bytes);
    if (!read_bytes(requests, text.data(), text.size())) _exit(1);
    const pid_t child = ::fork();
    if (child < 0) _exit(1);
    if (child == 0) speak(responses, request, text);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0) _exit(1);  // the owner sees the pipe's end
  }
  _exit(0);
}

Speech assemble(const std::vector<std::int16_t>& samples, const std::vector<Event>& events) {
  Speech speech;
  const double end_s = static_cast<double>(samples.size()) / kEspeakRate;
  for (const auto& event : events) {
    const double start_s = static_cast<double>(event.sample) / kEspeakRate;
    if (event.type == espeakEVENT_WORD) {
      if (!speech.words.empty()) speech.words.back().end_s = start_s;
      speech.words.push_back({event.text_position, start_s, end_s});
      continue;
    }
    const std::string mnemonic(event.mnemonic.data(),
                               ::strnlen(event.mnemonic.data(), event.mnemonic.size()));
    if (mnemonic.empty() || mnemonic == ";") continue;  // palatalisation has no segment of its own
    if (!speech.phones.empty()) speech.phones.back().end_s = start_s;
    speech.phones.push_back({mnemonic, start_s, end_s});
  }
  if (!speech.words.empty()) {  // the last word ends where the closing pause begins
    for (auto phone = speech.phones.rbegin(); phone != speech.phones.rend(); ++phone) {
      if (phone->mnemonic[0] != '_') break;
      speech.words.back().end_s = phone->start_s;
    }
  }
  speech.samples = resample_to_16k(samples, kEspeakRate);
  return speech;
}

}  // namespace

SpeechServer::SpeechServer() {
  initialise_espeak();
  std::array<int, 2> to_helper{}, from_helper{};
  open_pipe(to_helper);
  open_pipe(from_helper);
  helper_ = ::fork();
  if (helper_ < 0)
    throw SystemError(fmt::format("cannot start the speech process: {}", std::strerror(errno)));
  if (helper_ == 0) {
    ::close(to_helper[1]);
    ::close(from_helper[0]);
    serve(to_helper[0], from_helper[1]);
  }
  ::close(to_helper[0]);
  ::close(from_helper[1]);
  requests_ = to_helper[1];
  responses_ = from_helper[0];
}

SpeechServer::~SpeechServer() {
  ::close(requests_);  // the helper ends
  ::close(responses_);
  int status = 0;
  while (::waitpid(helper_, &status, 0) < 0 && errno == EINTR) {
  }
}

Speech SpeechServer::say(const std::string& text, const Voice& voice) {
  Request request{voice.pitch, voice.range, voice.words_per_minute, {}, text.size()};
  RAVEN_CHECK(voice.name.size() < request.voice.size() && text.size() <= kMaxTextBytes,
              "voice '{}' or text of {} bytes too long", voice.name, text.size());
  std::memcpy(request.voice.data(), voice.name.data(), voice.name.size());
  ResponseHead head{};
  if (!write_bytes(requests_, &request, sizeof request) ||
      !write_bytes(requests_, text.data(), text.size()) ||
      !read_bytes(responses_, &head, sizeof head)) {
    throw SystemError(
        fmt::format("espeak-ng's process ended while it said '{}' as {}", text, voice.name));
  }
  std::vector<std::int16_t> samples(head.num_samples);
  std::vector<Event> events(head.num_events);
  if (!read_bytes(responses_, samples.data(), samples.size() * sizeof(std::int16_t)) ||
      !read_bytes(responses_, events.data(), events.size() * sizeof(Event))) {
    throw SystemError(
        fmt::format("espeak-ng's process ended while it said '{}' as {}", text, voice.name));
  }
  if (head.outcome == Outcome::kNoVoice) {
    throw DataError(fmt::format("espeak-ng has no voice '{}'", voice.name), "no-voice");
  }
  if (head.outcome == Outcome::kNoSpeech) {
    throw DataError(fmt::format("espeak-ng says nothing for '{}'", text), "no-speech");
  }
  return assemble(samples, events);
}

}  // namespace raven::synth
