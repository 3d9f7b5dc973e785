// `raven doctor` on machines with a fault that was put in on purpose.
#include <gmock/gmock.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <thread>

#include "e2e/faulty_machine.h"
#include "support/sanitized.h"
#include "support/temporary_folder.h"

namespace raven {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::string kRaven = std::string(RAVEN_BINARY_DIR) + "/bin/raven";

std::string content_of(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The page that lists all findings has this one.
bool documented(const std::string& id) {
  static const auto page = content_of(fs::path(RAVEN_SOURCE_DIR) / "docs" / "troubleshooting.md");
  return page.find("`" + id + "`") != std::string::npos;
}

fs::path fault_library(const std::string& name) {
  return fs::path(RAVEN_BINARY_DIR) / "faults" / ("libfault_" + name + ".so");
}

struct Diagnosis {
  int code = 0;
  Json report;

  /// The first finding of that id that is no `ok`, else the first of that id.
  [[nodiscard]] Json finding(const std::string& id) const {
    Json found = {{"id", id}, {"level", "none"}, {"what", ""}, {"means", ""}, {"remedy", ""}};
    for (const auto& finding : report.at("findings")) {
      if (finding.at("id") != id || (found.at("level") != "none" && finding.at("level") == "ok"))
        continue;
      found = finding;
      if (found.at("level") != "ok") break;
    }
    return found;
  }
};

class Doctor : public testing::Test {
 protected:
  void SetUp() override { fs::create_directory(runs()); }

  [[nodiscard]] fs::path runs() const { return temporary_.path() / "runs"; }

  [[nodiscard]] Diagnosis diagnose(Fault fault, const std::vector<std::string>& more = {}) const {
    return diagnose_in(runs(), std::move(fault), more);
  }

  [[nodiscard]] Diagnosis diagnose_in(const fs::path& runs, Fault fault,
                                      const std::vector<std::string>& more = {}) const {
    if (kSanitized && fault.variables.count("LD_PRELOAD") > 0)
      fault.variables.insert({"ASAN_OPTIONS", "verify_asan_link_order=0"});
    std::vector<std::string> command = {kRaven, "doctor", "--json", "--runs", runs.string()};
    command.insert(command.end(), more.begin(), more.end());
    const auto ended = run(command, fault);
    Diagnosis diagnosis{.code = ended.code,
                        .report = Json::parse(ended.output, nullptr, /*allow_exceptions=*/false)};
    if (diagnosis.report.is_discarded())
      throw std::runtime_error("exit code " + std::to_string(ended.code) + ": " + ended.output);
    return diagnosis;
  }

  /// A failure of that id, exit code 1, and what it says.
  static void expect_failure(const Diagnosis& diagnosis, const std::string& id,
                             const std::string& what, const std::string& remedy) {
    expect_finding(diagnosis, id, "failure", what, remedy);
    EXPECT_EQ(diagnosis.code, 1);
    EXPECT_EQ(diagnosis.report.at("can_run"), false);
  }

  /// A warning of that id, which alone does not change the exit code.
  static void expect_warning(const Diagnosis& diagnosis, const std::string& id,
                             const std::string& what, const std::string& remedy) {
    expect_finding(diagnosis, id, "warning", what, remedy);
    EXPECT_EQ(diagnosis.code, 0) << diagnosis.report.dump(2);
  }

  static void expect_finding(const Diagnosis& diagnosis, const std::string& id,
                             const std::string& level, const std::string& what,
                             const std::string& remedy) {
    const auto finding = diagnosis.finding(id);
    SCOPED_TRACE(finding.dump(2));
    EXPECT_TRUE(documented(id));
    EXPECT_EQ(finding.at("level"), level);
    EXPECT_THAT(finding.at("what").get<std::string>(), HasSubstr(what));
    EXPECT_THAT(finding.at("means").get<std::string>(), Not(IsEmpty()));
    EXPECT_THAT(finding.at("remedy").get<std::string>(), HasSubstr(remedy));
  }

  /// A folder with the layout of a package that holds links to the libraries of the LibTorch that
  /// raven runs with.
  [[nodiscard]] fs::path torch_of_links() const {
    const auto what = diagnose({}).finding("torch.version").at("what").get<std::string>();
    const fs::path library = what.substr(
        what.find(" in ") + 4);  // "LibTorch 2.11.0 (CUDA 13.0) in /.../libtorch_cpu.so"
    const auto site = temporary_.path() / "site", folder = site / "torch" / "lib";
    fs::create_directories(folder);
    for (const auto& entry : fs::directory_iterator(library.parent_path()))
      fs::create_symlink(entry.path(), folder / entry.path().filename());
    const auto cuda = library.parent_path().parent_path().parent_path() / "nvidia";
    if (fs::exists(cuda)) fs::create_symlink(cuda, site / "nvidia");
    return folder;
  }

  /// LD_LIBRARY_PATH with a folder before all others.
  static std::string first(const std::vector<fs::path>& folders) {
    std::string path;
    for (const auto& folder : folders) path += folder.string() + ":";
    const char* before = std::getenv("LD_LIBRARY_PATH");
    return path + (before == nullptr ? "" : before);
  }

  /// A folder with the driver's libraries of a machine with one GPU.
  [[nodiscard]] fs::path driver() const {
    const auto folder = temporary_.path() / "driver";
    fs::create_directory(folder);
    for (const auto* name : {"libcuda.so.1", "libnvidia-ml.so.1"})
      fs::create_symlink(fault_library("stand_in_driver"), folder / name);
    return folder;
  }

  TemporaryFolder temporary_;
};

TEST_F(Doctor, FindsNothingOnASoundMachine) {
  const auto diagnosis = diagnose({}, {"device=cpu"});
  EXPECT_EQ(diagnosis.code, 0) << diagnosis.report.dump(2);
  EXPECT_EQ(diagnosis.report.at("failures"), 0);
  EXPECT_EQ(diagnosis.report.at("can_run"), true);
  for (const auto& finding : diagnosis.report.at("findings")) {
    const auto id = finding.at("id").get<std::string>();
    EXPECT_TRUE(documented(id)) << id;
    EXPECT_FALSE(finding.at("what").get<std::string>().empty()) << id;
    const bool fine = finding.at("level") == "ok";
    EXPECT_EQ(finding.at("means").get<std::string>().empty(), fine) << id;
    EXPECT_EQ(finding.at("remedy").get<std::string>().empty(), fine) << id;
  }
  EXPECT_TRUE(fs::is_empty(runs()));
}

TEST_F(Doctor, SaysTheSameToPeople) {
  const auto ended =
      run({kRaven, "doctor", "--runs", runs().string()}, {.variables = {{"RANK", "3"}}});
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.output,
              HasSubstr("failure  launcher.rank           RANK=3, but no WORLD_SIZE\n"));
  EXPECT_THAT(ended.output, HasSubstr("\n         mend: unset RANK"));
  EXPECT_THAT(ended.output, HasSubstr("\nraven cannot run here: 1 failure, "));
}

TEST_F(Doctor, LeavesNothingBehindWhenItIsKilled) {
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  for (const int milliseconds : {100, 200, 300, 400, 600, 800, 1200}) {
    const pid_t child = start({kRaven, "doctor", "--runs", runs().string()}, {}, nowhere);
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    ::kill(child, SIGKILL);
    wait_for(child);
    EXPECT_TRUE(fs::is_empty(runs())) << milliseconds;
    EXPECT_FALSE(fs::exists("/dev/shm/__KMP_REGISTERED_LIB_" + std::to_string(child) + "_" +
                            std::to_string(::getuid())))
        << "a note of LLVM's OpenMP after " << milliseconds;
  }
  ::close(nowhere);
}

TEST_F(Doctor, FindsAMachineThatIsBusyWithOtherWork) {
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  std::vector<pid_t> others;
  for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i)
    others.push_back(start({"/bin/sh", "-c", "while :; do :; done"}, {}, nowhere));
  const auto diagnosis = diagnose({}, {"device=cpu"});
  for (const pid_t other : others) {
    ::kill(other, SIGKILL);
    wait_for(other);
  }
  ::close(nowhere);
  expect_warning(diagnosis, "cpu.other_work", "other programs keep", "threads=");
}

TEST_F(Doctor, NamesTheLibraryOfLibTorchsThreads) {
  const auto diagnosis = diagnose({}, {"device=cpu"});
  EXPECT_THAT(diagnosis.finding("torch.openmp").at("what").get<std::string>(),
              HasSubstr(RAVEN_OPENMP));
}

TEST_F(Doctor, FindsALowLimitOfOpenFiles) {
  expect_failure(diagnose({.before = [] { return lower_soft_limit(RLIMIT_NOFILE, 64); }}),
                 "limits.open_files", "64 files", "ulimit -n 4096");
  expect_failure(diagnose({.before = [] { return lower_limit(RLIMIT_NOFILE, 64); }}),
                 "limits.open_files", "64 files", "limits.conf");
}

// Mounts a full file system where the system allows it; else fills a small one that is there; else
// no file may have a byte.
TEST_F(Doctor, FindsAFullDisk) {
  if (can_mount(runs())) {
    const auto diagnosis = diagnose({.before = [this] { return mount_full(runs()); }});
    expect_failure(diagnosis, "disk.runs", "No space left on device", "free some space");
    expect_failure(diagnosis, "disk.runs_space", "0 bytes of 1 MiB free", "--runs");
  } else if (const auto small = small_file_system(); !small.empty()) {
    const auto filler = small / ("raven_test_" + std::to_string(::getpid()));
    fill_up(filler);
    const auto diagnosis = diagnose_in(small, {});
    fs::remove(filler);
    expect_failure(diagnosis, "disk.runs", "No space left on device", "free some space");
    expect_failure(diagnosis, "disk.runs_space", "free", "--runs");
  } else {
    expect_failure(diagnose({.before = [] { return lower_limit(RLIMIT_FSIZE, 0); }}), "disk.runs",
                   "cannot be written", "ulimit -f");
  }
}

TEST_F(Doctor, TellsALimitUnderWhichNothingCanBeWritten) {
  const auto diagnosis = diagnose({.before = [] { return lower_limit(RLIMIT_FSIZE, 0); }});
  expect_failure(diagnosis, "disk.runs", "cannot be written", "ulimit -f");
  expect_failure(diagnosis, "limits.file_size", "a file may have 0 bytes", "hard limit");
}

// LLVM's OpenMP would end the process there.
TEST_F(Doctor, NeedsNoSharedMemory) {
  if (!can_mount(runs())) return;  // LeavesNothingBehindWhenItIsKilled sees that nothing is written
  const auto diagnosis = diagnose({.before = [] {
    return leave_mounts() && ::mount("none", "/dev/shm", "tmpfs", MS_RDONLY, nullptr) == 0;
  }});
  const auto finding = diagnosis.finding("limits.shared_memory");
  EXPECT_EQ(finding.at("level"), "ok") << "raven's loaders are threads";
  EXPECT_THAT(finding.at("what").get<std::string>(), HasSubstr("cannot be written"));
  EXPECT_EQ(diagnosis.code, 0);
}

TEST_F(Doctor, FindsALimitOfFileSizes) {
  const auto diagnosis =
      diagnose({.before = [] { return lower_soft_limit(RLIMIT_FSIZE, 4 << 20); }});
  expect_failure(diagnosis, "limits.file_size", "4 MiB", "ulimit -f unlimited");
  expect_failure(diagnosis, "disk.runs", "File too large", "ulimit -f unlimited");
  EXPECT_TRUE(fs::is_empty(runs()));
}

TEST_F(Doctor, FindsAFolderOfRunsThatCannotBeWritten) {
  ::chmod(runs().c_str(), 0555);
  expect_failure(diagnose({.before = obey_permissions}), "disk.runs", "Permission denied",
                 "run.dir=");
  std::ofstream(temporary_.path() / "file") << "x";
  expect_failure(diagnose_in(temporary_.path() / "file" / "runs", {}), "disk.runs",
                 "file is no folder", "run.dir=");
}

TEST_F(Doctor, FindsAMissingDecoder) {
  const auto diagnosis = diagnose({.variables = {{"LD_PRELOAD", fault_library("missing_codec")},
                                                 {"RAVEN_FAULT_CODEC", "h264"}}});
  expect_failure(diagnosis, "codecs.decoders", "no decoder for h264", "libavcodec");
}

TEST_F(Doctor, FindsAMissingEncoder) {
  const auto diagnosis = diagnose({.variables = {{"LD_PRELOAD", fault_library("missing_codec")},
                                                 {"RAVEN_FAULT_CODEC", "libx264"}}},
                                  {"device=cpu"});
  expect_warning(diagnosis, "codecs.encoders", "no encoder for libx264", "libavcodec-extra");
}

TEST_F(Doctor, FindsAWrongCudaLibrary) {
  const auto torch = torch_of_links();
  fs::remove(torch / "libtorch_cuda.so");
  std::ofstream(torch / "libtorch_cuda.so") << std::string(4096, 'x');
  const Fault fault{.variables = {{"LD_LIBRARY_PATH", first({torch, driver()})}}};
  expect_failure(diagnose(fault, {"device=cuda"}), "gpu.cuda_library", "invalid ELF header",
                 "scripts/setup.sh --gpu");
  expect_warning(diagnose(fault), "gpu.cuda_library", "invalid ELF header",
                 "scripts/setup.sh --gpu");
  EXPECT_EQ(diagnose(fault, {"device=cpu"}).finding("gpu.cuda_library").at("level"), "none");
}

TEST_F(Doctor, FindsAMissingCudaLibrary) {
  const auto torch = torch_of_links();
  fs::remove(torch / "libtorch_cuda.so");
  fs::create_symlink(fault_library("needs_absent"), torch / "libtorch_cuda.so");
  const Fault fault{.variables = {{"LD_LIBRARY_PATH", first({torch, driver()})}}};
  expect_failure(diagnose(fault, {"device=cuda"}), "gpu.cuda_library", "libfault_absent.so",
                 "scripts/setup.sh --gpu");
}

TEST_F(Doctor, FindsADriverThatIsTooOld) {
  const Fault fault{
      .variables = {{"LD_LIBRARY_PATH", first({driver()})}, {"RAVEN_FAULT_CUDA", "12020"}}};
  expect_failure(diagnose(fault, {"device=cuda"}), "gpu.driver",
                 "535.104.05 for CUDA 12.2, 1 GPU, Stand-in GPU (16 GiB)", "update the driver");
}

TEST_F(Doctor, FindsNamesOfGpusThatAreNotThere) {
  const auto diagnosis = diagnose({.variables = {{"CUDA_VISIBLE_DEVICES", "97"}}}, {"device=cuda"});
  expect_failure(diagnosis, "gpu.visible_devices", "names '97'", "unset CUDA_VISIBLE_DEVICES");
  const Fault with_one{
      .variables = {{"CUDA_VISIBLE_DEVICES", "0,1"}, {"LD_LIBRARY_PATH", first({driver()})}}};
  expect_finding(diagnose(with_one, {"device=cuda"}), "gpu.visible_devices", "warning",
                 "names '1', but this machine has GPU 0 alone", "GPUs of 0 to 0");
}

TEST_F(Doctor, FindsAnotherLibTorchFirstInTheSearchPath) {
  const auto torch = torch_of_links();
  const auto what = diagnose({}).finding("torch.version").at("what").get<std::string>();
  const auto dot = what.find('.');
  const auto series =
      what.substr(9, what.find('.', dot + 1) - 9);  // "2.11" of "LibTorch 2.11.0 ..."
  auto other = series;
  other[dot + 1 - 9] = '9';  // "2.91"
  const auto real = fs::canonical(torch / "libtorch_cpu.so");
  fs::remove(torch / "libtorch_cpu.so");
  fs::copy_file(real, torch / "libtorch_cpu.so");
  ASSERT_GT(replace_texts(torch / "libtorch_cpu.so", series, other), 0);
  const auto diagnosis = diagnose({.variables = {{"LD_LIBRARY_PATH", first({torch})}}});
  expect_failure(diagnosis, "torch.version", "LibTorch " + other, "LD_LIBRARY_PATH");
  expect_failure(diagnosis, "torch.version", torch.string(), "LD_LIBRARY_PATH");
}

TEST_F(Doctor, FindsPartsOfTwoLibTorch) {
  const auto torch = torch_of_links(), other = temporary_.path() / "other";
  fs::create_directory(other);
  fs::copy_file(fs::canonical(torch / "libc10.so"), other / "libc10.so");
  const auto diagnosis = diagnose({.variables = {{"LD_LIBRARY_PATH", first({other})}}});
  expect_failure(diagnosis, "torch.folders", "libc10.so from " + other.string(), "LD_LIBRARY_PATH");
}

TEST_F(Doctor, FindsVariablesOfLaunchersThatContradictEachOther) {
  expect_failure(diagnose({.variables = {{"RANK", "0"}}}), "launcher.rank",
                 "RANK=0, but no WORLD_SIZE", "torchrun");
  expect_failure(diagnose({.variables = {{"RANK", "4"},
                                         {"WORLD_SIZE", "4"},
                                         {"MASTER_ADDR", "a"},
                                         {"MASTER_PORT", "1"}}}),
                 "launcher.rank", "ranks go from 0 to 3", "set RANK to a number below 4");
  expect_failure(
      diagnose({.variables = {{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_PORT", "29500"}}}),
      "launcher.rendezvous", "MASTER_ADDR is not set", "export MASTER_ADDR");
  const Fault slurm{.variables = {{"RANK", "0"},
                                  {"WORLD_SIZE", "2"},
                                  {"MASTER_ADDR", "a"},
                                  {"MASTER_PORT", "1"},
                                  {"SLURM_JOB_ID", "7"},
                                  {"SLURM_NTASKS", "4"}}};
  expect_warning(diagnose(slurm, {"device=cpu"}), "launcher.slurm", "SLURM_NTASKS=4",
                 "WORLD_SIZE=$SLURM_NTASKS");
}

TEST_F(Doctor, FindsMoreThreadsThanCores) {
  expect_warning(diagnose({.variables = {{"OMP_NUM_THREADS", "999"}}}, {"device=cpu"}),
                 "cpu.threads", "OMP_NUM_THREADS is 999", "export OMP_NUM_THREADS=");
}

TEST_F(Doctor, FindsASmallLimitOfLockedMemory) {
  const Fault fault{.variables = {{"RANK", "0"},
                                  {"WORLD_SIZE", "2"},
                                  {"MASTER_ADDR", "localhost"},
                                  {"MASTER_PORT", "29500"}},
                    .before = [] { return lower_limit(RLIMIT_MEMLOCK, 64 << 10); }};
  expect_warning(diagnose(fault, {"device=cpu"}), "limits.locked_memory", "64 KiB", "memlock");
}

TEST_F(Doctor, FindsALimitOfMemory) {
  if (kSanitized) return;  // the sanitizers themselves need terabytes of addresses
  expect_failure(
      diagnose({.before = [] { return lower_limit(RLIMIT_AS, 3ULL << 30); }}, {"device=cpu"}),
      "memory.address_space", "3 GiB", "ulimit -v unlimited");
}

TEST_F(Doctor, FindsAClockInThePast) {
  for (const auto* zone : {"UTC", "Asia/Tokyo", "America/Los_Angeles"}) {
    SCOPED_TRACE(zone);
    const Fault past{.variables = {{"LD_PRELOAD", fault_library("wrong_clock")},
                                   {"RAVEN_FAULT_CLOCK", "-200000000"},
                                   {"TZ", zone}}};
    const auto diagnosis = diagnose(past, {"device=cpu"});
    expect_warning(diagnosis, "clock.system", "before raven itself was built", "set-ntp true");
    expect_warning(diagnosis, "clock.file_system", "200000000 s after the system's clock",
                   "set-ntp true");
    const auto true_time = diagnose({.variables = {{"TZ", zone}}});
    EXPECT_EQ(true_time.finding("clock.system").at("level"), "ok");
    EXPECT_EQ(true_time.finding("clock.file_system").at("level"), "ok");
  }
}

TEST_F(Doctor, FindsWhatAConfigurationNamesInVain) {
  const auto diagnosis = diagnose({}, {"data.manifest=/none/train.tsv", "device=cpu"});
  expect_failure(diagnosis, "config.files", "data.manifest=/none/train.tsv: No such file",
                 "raven prepare");
  expect_failure(diagnose({}, {"--data", "/none"}), "disk.data", "/none", "raven prepare");
  EXPECT_EQ(run({kRaven, "doctor", "mask.prob=7"}, {}).code, 2);
}

TEST_F(Doctor, FindsThatRavenSynthIsMissing) {
  const auto folder = temporary_.path() / "bin";
  fs::create_directory(folder);
  fs::copy_file(kRaven, folder / "raven");
  const auto ended = run(
      {(folder / "raven").string(), "doctor", "--json", "--runs", runs().string(), "device=cpu"},
      {.variables = {{"PATH", "/none"}}});
  const Diagnosis diagnosis{.code = ended.code, .report = Json::parse(ended.output)};
  expect_warning(diagnosis, "codecs.synth", "neither beside raven nor on PATH", "RAVEN_SYNTH=ON");
}

}  // namespace
}  // namespace raven
