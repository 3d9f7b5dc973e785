// The machine that a plan is for: sizes of memory as users write them, and what this one has.
#pragma once

#include <cstdint>
#include <string>

namespace raven::plan {

struct Hardware {
  bool cuda = false;
  double memory = 0;              // bytes of the machine
  double device_memory = 0;       // bytes of the GPU; 0: not known
  std::string device;             // "cpu", a GPU's name
  std::int64_t ranks = 1;         // that share a run: on CPUs the machine, else a GPU each
  bool shards_optimizer = false;  // each keeps a part of the optimiser's averages

  /// Bytes of one rank.
  [[nodiscard]] double capacity() const {
    return cuda ? device_memory : memory / static_cast<double>(ranks);
  }
};

/// "24GiB" -> bytes; KiB, MiB, GiB, TiB are powers of 1024, KB, MB, GB, TB of 1000. Throws
/// ConfigError, which begins with `name`, for another unit or none and for what is not above 0.
double parse_memory(const std::string& text, const std::string& name);

/// The same of a GPU, which may be given by its kind: "A100-80GB", "H200"; upper and lower case and
/// blanks or hyphens do not matter.
double parse_device_memory(const std::string& text, const std::string& name);

/// The kinds that parse_device_memory() knows: "V100-16GB, V100-32GB, ...".
std::string gpu_kinds();

/// "23.47 GiB", "118.2 MiB".
std::string memory_text(double bytes);

/// Bytes that processes of this machine may use: its memory, or the limit of the control group that
/// this process is in, whichever is less.
double machine_memory();

/// Bytes of the first GPU; 0 where LibTorch's CUDA library is not loaded or finds none.
double gpu_memory();

}  // namespace raven::plan
