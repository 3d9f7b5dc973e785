// Codecs and containers: those of raven's own files must be there, others are wanted by corpora.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "raven/doctor/finding.h"

namespace raven::doctor {

/// Names of what this libav lacks.
struct MissingCodecs {
  std::vector<std::string> decoders, encoders, demuxers, muxers;
};

/// Asks for all that check_codecs judges.
MissingCodecs read_missing_codecs();

/// codecs.decoders, codecs.encoders, codecs.containers. `libavcodec` is the library's file.
Findings check_codecs(const MissingCodecs& missing, const std::filesystem::path& libavcodec);

/// The program raven-synth, started to show its version.
struct SynthProgram {
  std::filesystem::path file;  // empty: none beside raven or on PATH
  int exit_code = 0;
  std::string said;  // the first line, of either stream
};

SynthProgram try_synth_program(const std::filesystem::path& file);

/// codecs.synth.
Findings check_synth_program(const SynthProgram& program);

}  // namespace raven::doctor
