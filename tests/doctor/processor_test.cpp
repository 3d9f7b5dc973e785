#include "raven/doctor/processor.h"

#include <gmock/gmock.h>

#include "doctor/find.h"

namespace raven::doctor {
namespace {

using testing::HasSubstr;

const Processor kEight = {.model = "EPYC", .features = {"avx2", "fma"}, .cores = 8, .quota = {}};

TEST(Processor, IsReadOnX86AndArm) {
  const auto x86 = parse_cpuinfo(
      "processor\t: 0\nmodel name\t: Intel(R) Xeon(R)\nflags\t\t: fpu avx2 fma\n\nprocessor\t: "
      "1\nmodel name\t: other\n");
  EXPECT_EQ(x86.model, "Intel(R) Xeon(R)");
  EXPECT_EQ(x86.features, (std::vector<std::string>{"fpu", "avx2", "fma"}));
  const auto arm = parse_cpuinfo("processor\t: 0\nFeatures\t: fp asimd sve\nModel\t\t: Grace\n");
  EXPECT_EQ(arm.model, "Grace");
  EXPECT_THAT(find(check_processor(arm, {.capability = "SVE256", .threads = 0, .omp_threads = {}}),
                   "cpu.vector_units")
                  .what,
              HasSubstr("NEON, SVE"));
  EXPECT_EQ(parse_cpuinfo("").model, "");
}

TEST(Processor, TellsWhetherBf16Gains) {
  auto processor = kEight;
  const auto what = [&] {
    return find(check_processor(processor,
                                {.capability = "AVX512", .threads = 8, .omp_threads = {}}),
                "cpu.vector_units")
        .what;
  };
  EXPECT_THAT(what(), HasSubstr("bf16 gains nothing"));
  for (const char* unit : {"avx512_bf16", "amx_bf16", "bf16"}) {
    processor.features = {"avx2", "fma", unit};
    EXPECT_THAT(what(), HasSubstr("bf16 is fast")) << unit;
  }
}

TEST(Processor, WithoutVectorUnitsItIsSlow) {
  auto old = kEight;
  old.features = {"sse4_2", "avx"};
  const auto findings =
      check_processor(old, {.capability = "DEFAULT", .threads = 8, .omp_threads = {}});
  EXPECT_EQ(level(findings, "cpu.vector_units"), Level::kWarning);
  expect_explained(findings);
}

TEST(Processor, UnitsThatLibTorchIsToldNotToUse) {
  const auto finding =
      find(check_processor(kEight, {.capability = "DEFAULT", .threads = 8, .omp_threads = {}}),
           "cpu.vector_units");
  EXPECT_EQ(finding.level, Level::kWarning);
  EXPECT_THAT(finding.remedy, HasSubstr("ATEN_CPU_CAPABILITY"));
  EXPECT_EQ(level(check_processor(kEight, {.capability = "AVX2", .threads = 8, .omp_threads = {}}),
                  "cpu.vector_units"),
            Level::kOk);
}

TEST(Processor, ThreadsFitTheCoresThatMayBeUsed) {
  const auto threads = [](const Processor& processor, std::int64_t number,
                          std::optional<std::string> asked) {
    return find(
        check_processor(processor,
                        {.capability = "AVX2", .threads = number, .omp_threads = std::move(asked)}),
        "cpu.threads");
  };
  EXPECT_EQ(threads(kEight, 8, {}).level, Level::kOk);
  EXPECT_EQ(threads(kEight, 8, "8").level, Level::kOk);
  EXPECT_EQ(threads(kEight, 4, "4,2").level, Level::kOk);  // nested levels, as OpenMP allows
  EXPECT_THAT(threads(kEight, 9, "9").remedy, HasSubstr("OMP_NUM_THREADS=8"));
  EXPECT_THAT(threads(kEight, 8, "many").what, HasSubstr("'many'"));
  EXPECT_EQ(threads(kEight, 8, "0").level, Level::kWarning);
  auto limited = kEight;
  limited.quota = 2.0;
  EXPECT_THAT(threads(limited, 8, {}).what,
              HasSubstr("LibTorch uses 8 threads, more than the 2 cores"));
}

TEST(Processor, LessThanOneCore) {
  auto limited = kEight;
  limited.quota = 0.5;
  const auto finding =
      find(check_processor(limited, {.capability = "AVX2", .threads = 1, .omp_threads = {}}),
           "cpu.cores");
  EXPECT_EQ(finding.level, Level::kWarning);
  EXPECT_THAT(finding.what, HasSubstr("time of 0.5"));
}

}  // namespace
}  // namespace raven::doctor
