// CPU: cores that may be used, vector units, threads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "raven/core/control_group.h"
#include "raven/doctor/finding.h"

namespace raven::doctor {

struct Processor {
  std::string model = {};
  std::vector<std::string> features = {};  // "avx2", "asimd", ... as /proc/cpuinfo names them
  std::int64_t cores = 0;                  // that this process may run on
  std::optional<double> quota = {};        // cores' worth of time; none: no limit
};

/// Model and features of /proc/cpuinfo's first processor, on x86 and ARM.
Processor parse_cpuinfo(std::string_view text);

/// Instructions for products in bf16; without them bf16 is slower than fp32.
bool has_bf16(const Processor& processor);

Processor read_processor(const ControlGroup& group);

/// What LibTorch makes of it.
struct CpuUse {
  std::string capability = {};                  // "AVX2", "AVX512", "DEFAULT", ...
  std::int64_t threads = 0;                     // that its operators use
  std::optional<std::string> omp_threads = {};  // OMP_NUM_THREADS
};

/// cpu.cores, cpu.vector_units, cpu.threads.
Findings check_processor(const Processor& processor, const CpuUse& use);

}  // namespace raven::doctor
