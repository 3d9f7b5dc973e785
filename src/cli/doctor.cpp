// `raven doctor`
#include "raven/doctor/finding.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/version.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <thread>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "cli/cuda_library.h"
#include "cli/doctor_ranks.h"
#include "cli/find_program.h"
#include "cli/print.h"
#include "raven/config/stages.h"
#include "raven/core/control_group.h"
#include "raven/core/files.h"
#include "raven/core/variables.h"
#include "raven/doctor/clock.h"
#include "raven/doctor/codecs.h"
#include "raven/doctor/folder.h"
#include "raven/doctor/gpu.h"
#include "raven/doctor/landmark_model.h"
#include "raven/doctor/launcher.h"
#include "raven/doctor/libraries.h"
#include "raven/doctor/limits.h"
#include "raven/doctor/memory.h"
#include "raven/doctor/named_files.h"
#include "raven/doctor/other_work.h"
#include "raven/doctor/processor.h"
#include "raven/faces/landmark_model.h"
#include "raven/media/codecs.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;
using doctor::Findings;

constexpr const char* kDescription =
    "Looks at CPU, memory, disks, limits, libraries, codecs, GPU, the variables of launchers "
    "(torchrun, SLURM) and the clock. Each "
    "finding is ok, a warning (raven runs, but badly or not on all it could have) or a failure (it "
    "cannot run), says what follows "
    "from it and how to mend it; docs/troubleshooting.md lists them. The exit code is 0 when there "
    "is no failure, else 1.\n"
    "With --config or keys, the device, files and folders of that configuration are looked at. Up "
    "to 64 MiB are written to the "
    "folder of runs and read again, in a file that has no name; nothing stays there.\n"
    "--ranks looks at the ranks of a run instead: started by torchrun, srun, mpirun or a "
    "PyTorchJob as a run is, or by raven itself on this machine (2, or ranks=N). Each looks at its "
    "memory, limits, GPU and launcher, at variables by which NCCL, CUDA or OpenMP hang or wait, "
    "and "
    "at the place where all meet; together they compare versions, threads and devices, and time "
    "sums of 8 bytes to 64 MiB. Rank 0 prints what all have found, troubles with number and host "
    "of the ranks that have them; all end with the same exit code, but for 75 of a rank that waits "
    "for one that is lost.";

/// What a configuration asks of the machine.
struct Plan {
  config::Device device = config::Device::kAuto;
  fs::path run_folder;
  std::vector<doctor::NamedFile> files;
  std::int64_t threads = 0, ranks = 0;
  bool given = false;
};

/// Texts of a key that are set; none for a key that the stage does not have.
std::vector<std::string> texts_of(const config::Schema& schema, const std::string& key) {
  const auto* field = schema.find(key);
  std::vector<std::string> texts;
  if (field == nullptr || field->missing()) return texts;
  for (const auto& item : field->get().items) {
    const auto* text = std::get_if<std::string>(&item);
    if (text != nullptr && !text->empty()) texts.push_back(*text);
  }
  return texts;
}

/// 0 for a key that the stage does not have.
std::int64_t number_of(const config::Schema& schema, const std::string& key) {
  const auto* field = schema.find(key);
  if (field == nullptr) return 0;
  const auto items = field->get().items;
  const auto* number = items.empty() ? nullptr : std::get_if<std::int64_t>(&items.front());
  return number == nullptr ? 0 : *number;
}

Plan plan_of(const Arguments& arguments) {
  Plan plan;
  const auto file = arguments.config_file();
  const auto overrides = arguments.overrides();
  plan.given = !file.empty() || !overrides.empty();
  if (!plan.given) return plan;
  const auto config =
      config::stage_of(file, overrides).load(file, overrides, {.allow_missing = true});
  for (const auto& text : texts_of(config.schema, "device")) {
    for (const auto& [device, name] : config::EnumNames<config::Device>::kNames) {
      if (name == text) plan.device = device;
    }
  }
  for (const auto* key : {"run.dir", "out"}) {
    for (const auto& text : texts_of(config.schema, key)) plan.run_folder = text;
  }
  for (const auto* key :
       {"data.manifest", "data.pseudo_manifest", "data.valid_manifest", "data.test_manifest",
        "model", "model.init", "text.model", "text.units"}) {
    for (const auto& text : texts_of(config.schema, key))
      plan.files.push_back(doctor::try_file(key, text));
  }
  plan.threads = number_of(config.schema, "threads");
  plan.ranks = number_of(config.schema, "ranks");
  return plan;
}

/// An option, else what the configuration says, else the folder that other commands use by default.
doctor::Folder runs_folder(const Arguments& arguments, const Plan& plan) {
  const auto path = arguments.given("--runs") || plan.run_folder.empty() ? arguments.path("--runs")
                                                                         : plan.run_folder;
  return doctor::try_runs_folder(path);
}

doctor::Folder data_folder(const Arguments& arguments, const Plan& plan) {
  auto path = arguments.path("--data");
  const auto list = std::find_if(plan.files.begin(), plan.files.end(),
                                 [](const auto& file) { return file.key == "data.manifest"; });
  if (!arguments.given("--data") && list != plan.files.end())
    path = list->path.has_parent_path() ? list->path.parent_path() : fs::path(".");
  auto folder = doctor::try_data_folder(path);
  folder.named = arguments.given("--data");
  return folder;
}

fs::path library_named(const std::vector<fs::path>& loaded, const std::string& beginning) {
  const auto found = std::find_if(loaded.begin(), loaded.end(), [&](const fs::path& file) {
    return file.filename().string().rfind(beginning, 0) == 0;
  });
  return found == loaded.end() ? fs::path() : *found;
}

doctor::TorchVersions torch_versions(const std::vector<fs::path>& loaded) {
  doctor::TorchVersions versions;
  versions.built = TORCH_VERSION;
  versions.openmp = doctor::openmp_library();
  doctor::parse_torch_config(at::show_config(), versions);
  versions.package = doctor::read_package_version(library_named(loaded, "libtorch_cpu.so"));
  return versions;
}

std::vector<doctor::LibraryVersion> libav_versions() {
  std::vector<doctor::LibraryVersion> versions;
  for (auto& [name, built, running] : media::libav_versions())
    versions.push_back({name, built, running});
  return versions;
}

void add(Findings& findings, Findings more) {
  std::move(more.begin(), more.end(), std::back_inserter(findings));
}

/// Bytes of a file that LLVM's OpenMP makes as it starts; under a lower limit of file sizes it ends
/// the process, so that nothing of LibTorch may be asked.
constexpr std::uint64_t kOpenMpNote = 1024;

Findings examine(const Arguments& arguments) {
  const doctor::OtherWork other_work;  // while the rest is looked at
  const auto plan = plan_of(arguments);
  const auto limits = doctor::read_limits();
  if (limits.file_size.soft.value_or(kOpenMpNote) < kOpenMpNote) {
    Findings findings = doctor::check_limits(limits, {});
    add(findings, doctor::check_runs_folder(runs_folder(arguments, plan)));
    return findings;
  }
  const auto variables = read_variables();
  const auto variable = [&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
  const auto processes = doctor::world_size(variables);
  const auto group = read_control_group();

  doctor::CudaUse cuda{.wanted = plan.device, .visible_devices = variable("CUDA_VISIBLE_DEVICES")};
  doctor::GpuDriver driver;
  if (plan.device != config::Device::kCpu) {
    driver = doctor::read_gpu_driver();
    const auto& libraries = try_cuda_libraries();
    cuda.library_problem = libraries.problem;
    cuda.kernels_problem = libraries.kernels_problem;
    cuda.nccl = doctor::loaded_nccl();
  }
  const auto loaded = doctor::loaded_libraries();
  const auto torch = torch_versions(loaded);
  cuda.torch_cuda = torch.cuda;
  const bool gpu = plan.device == config::Device::kCuda ||
                   (plan.device == config::Device::kAuto && cuda.library_problem.empty());

  Findings findings = doctor::check_processor(doctor::read_processor(group),
                                              {.capability = at::get_cpu_capability(),
                                               .threads = at::get_num_threads(),
                                               .omp_threads = variable("OMP_NUM_THREADS")});
  add(findings, doctor::check_memory(doctor::read_memory(group), gpu));
  const auto runs = runs_folder(arguments, plan);
  add(findings, doctor::check_runs_folder(runs));
  add(findings, doctor::check_data_folder(data_folder(arguments, plan)));
  add(findings, doctor::check_limits(limits, {.gpu = gpu, .processes = processes > 1}));
  add(findings, doctor::check_torch(torch, loaded));
  add(findings, doctor::check_libraries(libav_versions(), loaded));
  add(findings,
      doctor::check_codecs(doctor::read_missing_codecs(), library_named(loaded, "libavcodec.so")));
  add(findings,
      doctor::check_synth_program(doctor::try_synth_program(find_program("raven-synth"))));
  add(findings,
      doctor::check_landmark_model(doctor::try_landmark_model(faces::kDefaultLandmarkModel)));
  add(findings, doctor::check_gpu(driver, cuda, processes));
  add(findings, doctor::check_launcher(
                    variables, gpu ? doctor::num_visible(driver, cuda.visible_devices) : 0));
  add(findings, doctor::check_clock(doctor::read_clock("/proc/self/exe")));
  add(findings, doctor::check_folder_clock(runs));
  if (plan.given) add(findings, doctor::check_named_files(plan.files));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // nothing of this process runs then
  add(findings, doctor::check_other_work(other_work.cores_taken(), other_work.cores(),
                                         at::get_num_threads()));
  return findings;
}

RanksAsked ranks_asked(const Arguments& arguments) {
  const auto plan = plan_of(arguments);
  std::vector<std::string> command = {"doctor", "--ranks", "--wait", arguments.text("--wait")};
  if (arguments.flag("--json")) command.emplace_back("--json");
  if (!arguments.config_file().empty())
    command.insert(command.end(), {"--config", arguments.config_file().string()});
  command.insert(command.end(), {"--log-level", arguments.text("--log-level")});
  for (auto& override : arguments.overrides()) command.push_back(std::move(override));
  return {.device = plan.device,
          .threads = plan.threads,
          .ranks = plan.ranks,
          .wait_s = arguments.integer("--wait"),
          .json = arguments.flag("--json"),
          .command = std::move(command)};
}

ExitCode run(const Arguments& arguments) {
  if (arguments.flag("--ranks")) return examine_ranks(ranks_asked(arguments));
  const auto findings = examine(arguments);
  print(arguments.flag("--json") ? doctor::to_json(findings, RAVEN_VERSION)
                                 : doctor::to_text(findings));
  return doctor::can_run(findings) ? ExitCode::kDone : ExitCode::kFailed;
}

}  // namespace

Command make_doctor_command() {
  return {
      .name = "doctor",
      .summary = "tells what is wrong with this machine for raven, and how to mend it",
      .description = kDescription,
      .options = {{.name = "--data",
                   .value = "DIR",
                   .meaning = "folder of prepared data; else that of the configuration's manifest",
                   .kind = ValueKind::kFolder,
                   .default_value = "data"},
                  {.name = "--runs",
                   .value = "DIR",
                   .meaning = "folder that runs are written to; else the configuration's run.dir",
                   .kind = ValueKind::kFolder,
                   .default_value = "runs"},
                  {.name = "--ranks",
                   .value = "",
                   .meaning = "do the ranks of a run meet, are they alike, how fast are their "
                              "links?"},
                  {.name = "--wait",
                   .value = "S",
                   .meaning = "seconds that ranks wait for each other, with --ranks",
                   .kind = ValueKind::kInteger,
                   .default_value = "60",
                   .range = config::between(1, 86400)},
                  {.name = "--json", .value = "", .meaning = "print one JSON object"}},
      .config_keys = config::all_keys(),
      .examples = {{"doctor", "after the installation, in the folder that holds data and runs"},
                   {"doctor --config lrs3.yaml run.dir=/scratch/lrs3 device=cuda --json",
                    "in a job's script, before a long run: exit code 1 when it could not run"},
                   {"doctor --ranks ranks=4", "four ranks of this machine"},
                   {"doctor --ranks --json",
                    "started by srun, torchrun or mpirun as a run is: that run's ranks"}},
      .run = run};
}

}  // namespace raven::cli
