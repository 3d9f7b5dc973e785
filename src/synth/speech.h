// Speech with exact times: espeak-ng's samples and when each phoneme and word begins.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace raven::synth {

struct Voice {
  std::string name = "en-us";  // espeak-ng's, with its variant: "en-us+f3"
  int pitch = 50;              // 0 to 99
  int range = 50;              // of the pitch, 0 to 99
  int words_per_minute = 160;
};

struct Phone {
  std::string mnemonic;  // espeak-ng's ASCII name, "_" and its like are pauses
  double start_s = 0, end_s = 0;
};

struct SpokenWord {
  int text_position = 0;  // of its first character in the text, counted from 1
  double start_s = 0, end_s = 0;
};

struct Speech {
  std::vector<std::int16_t> samples;  // mono, 16 kHz
  std::vector<Phone> phones;
  std::vector<SpokenWord> words;  // some short words are spoken together and have one entry
};

/// Speaks in a process of its own, which forks once more for every sentence.
// Note [A process per sentence]: espeak-ng keeps state from one text to the next (the same text
// comes out some samples longer the second time), crashes when two threads use it, and hangs when
// it is initialised twice. A child forked from a process that has only initialised it says the same
// text the same way every time.
class SpeechServer {
 public:
  /// Starts the helper. Call before the process has other threads; many servers may live at once.
  /// Throws SystemError, or ConfigError when espeak-ng's data are missing.
  SpeechServer();
  ~SpeechServer();
  SpeechServer(const SpeechServer&) = delete;
  SpeechServer& operator=(const SpeechServer&) = delete;

  /// Throws DataError when espeak-ng refuses the voice or the text, SystemError when the helper
  /// died.
  Speech say(const std::string& text, const Voice& voice);

 private:
  int requests_ = -1;   // pipe to the helper
  int responses_ = -1;  // pipe from it
  pid_t helper_ = -1;
};

/// Samples of another rate as 16 kHz. Throws InternalError when libswresample refuses.
std::vector<std::int16_t> resample_to_16k(const std::vector<std::int16_t>& samples, int rate_hz);

}  // namespace raven::synth
