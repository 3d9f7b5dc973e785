#include "raven/doctor/processor.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>

#include "core/text_file.h"
#include "raven/core/processors.h"

namespace raven::doctor {
namespace {

bool has(const Processor& processor, std::string_view feature) {
  return std::find(processor.features.begin(), processor.features.end(), feature) !=
         processor.features.end();
}

bool has_avx512(const Processor& processor) {
  constexpr std::array<std::string_view, 4> kParts = {"avx512f", "avx512bw", "avx512dq",
                                                      "avx512vl"};
  return std::all_of(kParts.begin(), kParts.end(), [&](auto part) { return has(processor, part); });
}

bool has_avx2(const Processor& processor) {
  return has(processor, "avx2") && has(processor, "fma");
}

std::string vector_units(const Processor& processor) {
  std::string units;
  const auto add = [&units](const char* name) {
    units += (units.empty() ? "" : ", ") + std::string(name);
  };
  if (has_avx2(processor)) add("AVX2");
  if (has_avx512(processor)) add("AVX-512");
  if (has(processor, "avx512_bf16")) add("AVX-512 bf16");
  if (has(processor, "amx_bf16")) add("AMX bf16");
  if (has(processor, "asimd")) add("NEON");
  if (has(processor, "sve")) add("SVE");
  return units;
}

Finding check_cores(const Processor& processor) {
  auto what =
      fmt::format("{}, {} core{}", processor.model.empty() ? "unknown CPU" : processor.model,
                  processor.cores, processor.cores == 1 ? "" : "s");
  if (processor.quota)
    what += fmt::format(", time of {:.3g} by its control group", *processor.quota);
  if (processor.quota && *processor.quota < 1) {
    return {
        .id = "cpu.cores",
        .level = Level::kWarning,
        .what = what,
        .means = "training and decoding share less than one core: every step waits for CPU time",
        .remedy =
            "raise the CPU limit of the container or job (docker run --cpus, sbatch "
            "--cpus-per-task)"};
  }
  return {.id = "cpu.cores", .what = what};
}

Finding check_vector_units(const Processor& processor, const CpuUse& use) {
  const auto units = vector_units(processor);
  const auto what =
      fmt::format("{}; LibTorch uses {}; {}", units.empty() ? "none that raven knows" : units,
                  use.capability.empty() ? "unknown" : use.capability,
                  has_bf16(processor) ? "bf16 is fast" : "bf16 gains nothing");
  if (units.empty()) {
    return {.id = "cpu.vector_units",
            .level = Level::kWarning,
            .what = what,
            .means = "products of matrices run several times slower than with AVX2 or NEON",
            .remedy =
                "take another machine, or in a virtual one let the CPU show its features (QEMU: "
                "-cpu host)"};
  }
  if (has_avx2(processor) && (use.capability == "DEFAULT" || use.capability == "NO AVX")) {
    return {.id = "cpu.vector_units",
            .level = Level::kWarning,
            .what = what,
            .means = "LibTorch leaves the vector units unused and is several times slower",
            .remedy = "unset ATEN_CPU_CAPABILITY"};
  }
  return {.id = "cpu.vector_units", .what = what};
}

Finding check_threads(const Processor& processor, const CpuUse& use) {
  const auto usable = usable_processors(processor.cores, processor.quota);
  const auto asked = use.omp_threads ? whole_number(*use.omp_threads) : std::nullopt;
  if (use.omp_threads && (!asked || *asked < 1) &&
      use.omp_threads->find(',') == std::string::npos) {
    return {
        .id = "cpu.threads",
        .level = Level::kWarning,
        .what = fmt::format("OMP_NUM_THREADS is '{}', expected a number from 1", *use.omp_threads),
        .means = fmt::format("it is ignored; LibTorch uses {} threads", use.threads),
        .remedy = fmt::format("export OMP_NUM_THREADS={}, or unset it", usable)};
  }
  const auto threads = std::max(use.threads, asked.value_or(0));
  if (threads > usable) {
    const auto source = asked ? fmt::format("OMP_NUM_THREADS is {}", *asked)
                              : fmt::format("LibTorch uses {}", threads);
    return {
        .id = "cpu.threads",
        .level = Level::kWarning,
        .what = fmt::format("{} threads, more than the {} core{} that this process can have",
                            source, usable, usable == 1 ? "" : "s"),
        .means = "threads wait for each other's cores; steps become slower, often several times",
        .remedy = fmt::format("export OMP_NUM_THREADS={0}, or give threads={0}", usable)};
  }
  return {.id = "cpu.threads",
          .what = fmt::format("LibTorch uses {} of {} cores", threads, usable)};
}

}  // namespace

Processor parse_cpuinfo(std::string_view text) {
  Processor processor;
  for (const auto line : split(text, '\n')) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const auto key = trimmed(line.substr(0, colon)), value = trimmed(line.substr(colon + 1));
    if (processor.model.empty() && (key == "model name" || key == "Model")) processor.model = value;
    if (processor.features.empty() && (key == "flags" || key == "Features")) {
      for (const auto feature : split(value, ' ')) processor.features.emplace_back(feature);
    }
  }
  return processor;
}

Processor read_processor(const ControlGroup& group) {
  auto processor = parse_cpuinfo(read_text("/proc/cpuinfo").value_or(""));
  processor.cores = allowed_processors();
  processor.quota = group.cpu_quota;
  return processor;
}

bool has_bf16(const Processor& processor) {
  constexpr std::array<std::string_view, 3> kUnits = {"avx512_bf16", "amx_bf16", "bf16"};
  return std::any_of(kUnits.begin(), kUnits.end(), [&](auto unit) { return has(processor, unit); });
}

Findings check_processor(const Processor& processor, const CpuUse& use) {
  return {check_cores(processor), check_vector_units(processor, use),
          check_threads(processor, use)};
}

}  // namespace raven::doctor
