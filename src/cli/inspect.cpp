// `raven inspect`
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/print.h"
#include "core/parse_json.h"
#include "raven/artifacts/model_source.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/utf8.h"
#include "raven/weights/inspection.h"
#include "raven/weights/verify.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::size_t kLongestValue = 80;

void print_json(const Json& json) {
  print(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

/// JSON has no NaN and no infinity.
Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

std::int64_t elements(const weights::TensorFacts& tensor) {
  std::int64_t count = 1;
  for (const auto size : tensor.shape) count *= size;
  return count;
}

/// Tensors whose hash in the file's own metadata is another one, or missing where others have one.
std::vector<std::string> damaged(const weights::Inspection& inspection) {
  std::vector<std::string> names;
  if (!inspection.numbers) return names;
  std::map<std::string, std::string> hashes;
  try {
    hashes = weights::listed_hashes({inspection.metadata.begin(), inspection.metadata.end()});
  } catch (const CheckpointError& error) {
    throw CheckpointError(fmt::format("{}: {}", inspection.file, error.what()));
  }
  for (const auto& tensor : inspection.tensors) {
    const auto listed = hashes.find(tensor.name);
    const bool fits = listed == hashes.end() ? hashes.empty() : listed->second == tensor.sha256;
    if (!fits) names.push_back(tensor.name);
  }
  return names;
}

Json to_json(const weights::Inspection& inspection) {
  Json json = {
      {"file", inspection.file}, {"format", inspection.format}, {"bytes", inspection.file_bytes}};
  if (inspection.numbers) json["sha256"] = inspection.sha256;
  std::int64_t parameters = 0;
  json["tensors"] = Json::array();
  for (const auto& tensor : inspection.tensors) {
    Json one = {{"name", tensor.name},
                {"dtype", tensor.type},
                {"shape", tensor.shape},
                {"bytes", tensor.bytes}};
    if (inspection.numbers) {
      one["norm"] = number(tensor.norm);
      one["min"] = number(tensor.least);
      one["max"] = number(tensor.greatest);
      one["not_finite"] = tensor.not_finite;
      one["sha256"] = tensor.sha256;
    }
    parameters += elements(tensor);
    json["tensors"].push_back(std::move(one));
  }
  json["elements"] = parameters;
  json["metadata"] = Json::object();
  for (const auto& [key, value] : inspection.metadata) json["metadata"][key] = value;
  if (inspection.numbers) json["damaged"] = damaged(inspection);
  return json;
}

std::string shortened(const std::string& value) {
  auto line = printable(value);
  if (line.size() <= kLongestValue) return line;
  auto end = kLongestValue;
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) --end;
  return fmt::format("{}... ({} bytes)", line.substr(0, end), value.size());
}

std::string to_text(const weights::Inspection& inspection, bool hashes) {
  std::string out = fmt::format("{}\n  {}, {} bytes\n", printable(inspection.file),
                                inspection.format, inspection.file_bytes);
  if (inspection.numbers) out += fmt::format("  sha256 {}\n", inspection.sha256);
  for (const auto& [key, value] : inspection.metadata) {
    out += fmt::format("  {} = {}\n", printable(key), shortened(value));
  }
  std::size_t widest = 4;
  for (const auto& tensor : inspection.tensors) {
    widest = std::max(widest, std::min<std::size_t>(printable(tensor.name).size(), 60));
  }
  std::int64_t parameters = 0;
  for (const auto& tensor : inspection.tensors) {
    const auto shape = fmt::format("[{}]", fmt::join(tensor.shape, ", "));
    out +=
        fmt::format("  {:<{}}  {:<8} {:<20}", printable(tensor.name), widest, tensor.type, shape);
    if (inspection.numbers) {
      out += fmt::format(" norm {:<11.5g} {:>11.4g} .. {:<11.4g}", tensor.norm, tensor.least,
                         tensor.greatest);
      if (tensor.not_finite > 0) out += fmt::format(" {} NaN or Inf", tensor.not_finite);
      if (hashes) out += " " + tensor.sha256;
    }
    out.erase(out.find_last_not_of(' ') + 1);
    out += "\n";
    parameters += elements(tensor);
  }
  return out + fmt::format("  {} tensors, {} elements\n", inspection.tensors.size(), parameters);
}

/// The files that a path stands for: itself, or those of a checkpoint or of a run's last one.
struct Files {
  fs::path folder;  // empty: one file
  std::vector<fs::path> files;
};

Files files_of(const fs::path& path) {
  const auto folder = artifacts::find_source(path);
  if (!fs::is_directory(folder)) return {.folder = {}, .files = {path}};
  Files found{.folder = folder, .files = {}};
  for (const char* name : {artifacts::kModelFile, artifacts::kOptimizerFile}) {
    if (fs::exists(folder / name)) found.files.push_back(folder / name);
  }
  if (found.files.empty()) {
    throw CheckpointError(fmt::format(
        "{}: no weights there; expected a file, a checkpoint folder ({}) or a run with checkpoints",
        path.string(), artifacts::kModelFile));
  }
  return found;
}

ExitCode inspect_files(const Files& files, const weights::InspectOptions& options,
                       const Arguments& arguments) {
  std::vector<weights::WeightsFile> opened;  // all of them before the first is read, which is long
  for (const auto& file : files.files) opened.push_back(weights::open_weights(file));
  std::vector<weights::Inspection> all;
  for (const auto& one : opened) all.push_back(weights::inspect(one, options));
  if (arguments.flag("--json")) {
    if (files.folder.empty()) {
      print_json(to_json(all.front()));
    } else {
      Json json = {{"folder", files.folder.string()}, {"files", Json::array()}};
      for (const auto& one : all) json["files"].push_back(to_json(one));
      const auto state = files.folder / artifacts::kStateFile;
      if (fs::exists(state)) {
        json["state"] = parse_json<Json>(read_file(state));
        if (json["state"].is_discarded()) json["state"] = nullptr;
      }
      print_json(json);
    }
  } else {
    for (const auto& one : all) print(to_text(one, arguments.flag("--hashes")));
  }
  for (const auto& one : all) {
    const auto names = damaged(one);
    if (names.empty()) continue;
    throw CheckpointError(fmt::format(
        "{}: {} tensors differ from the hashes that the file was written with, the first is '{}'; "
        "it was damaged or changed",
        one.file, names.size(), printable(names.front())));
  }
  return ExitCode::kDone;
}

std::string difference_text(const weights::TensorDifference& one) {
  const auto name = printable(one.name);
  if (one.second.empty()) return fmt::format("- {}  {}\n", name, one.first);
  if (one.first.empty()) return fmt::format("+ {}  {}\n", name, one.second);
  if (one.first != one.second) return fmt::format("! {}  {} | {}\n", name, one.first, one.second);
  return fmt::format("~ {}  {}  {} elements, at most {:.6g}\n", name, one.first, one.different,
                     one.greatest_difference);
}

ExitCode compare_files(const fs::path& first, const fs::path& second,
                       const weights::InspectOptions& options, bool as_json) {
  const auto differences = weights::compare(first, second, options);
  std::int64_t equal = 0;
  Json list = Json::array();
  for (const auto& one : differences) {
    equal += one.equal ? 1 : 0;
    if (as_json) {
      Json entry = {{"name", one.name}, {"equal", one.equal}};
      entry["first"] = one.first.empty() ? Json(nullptr) : Json(one.first);
      entry["second"] = one.second.empty() ? Json(nullptr) : Json(one.second);
      if (!one.equal && one.first == one.second) {
        entry["different_elements"] = one.different;
        entry["greatest_difference"] = number(one.greatest_difference);
      }
      list.push_back(std::move(entry));
    } else if (!one.equal) {
      print(difference_text(one));
    }
  }
  const auto others = std::ssize(differences) - equal;
  if (as_json) {
    print_json(Json{{"first", first.string()},
                    {"second", second.string()},
                    {"equal", equal},
                    {"different", others},
                    {"tensors", std::move(list)}});
  } else {
    print(fmt::format("{} of {} tensors are equal{}\n", equal, differences.size(),
                      options.numbers ? "" : " in type and shape"));
  }
  return others == 0 ? ExitCode::kDone : ExitCode::kFailed;
}

ExitCode run(const Arguments& arguments) {
  const weights::InspectOptions options{.only = arguments.text("--only"),
                                        .numbers = !arguments.flag("--names")};
  const GivenFile given(arguments.path("FILE"));
  const auto first = files_of(given.path());
  if (!arguments.given("FILE2")) return inspect_files(first, options, arguments);
  const GivenFile other(arguments.path("FILE2"));
  return compare_files(first.files.front(), files_of(other.path()).files.front(), options,
                       arguments.flag("--json"));
}

}  // namespace

Command make_inspect_command() {
  return {
      .name = "inspect",
      .summary = "tells what a file of weights holds, or compares two",
      .description =
          "Takes a .pth of PyTorch (which is read without running it), a .safetensors file, a "
          "checkpoint folder, or a run, of which the last checkpoint is taken. Lists each tensor "
          "with type, shape, L2 norm, smallest and largest element; then the metadata, and SHA-256 "
          "hashes of file and tensors.\n"
          "With two files, tensors of one name are compared bit by bit: '-' is only in the first, "
          "'+' only in the second, '!' has another type or shape, '~' other numbers. The exit code "
          "is then 0 when all are equal and 1 when not. A file that raven imported carries the "
          "hashes of its tensors: when they no longer fit, the exit code is 1.",
      .positionals = {{.name = "FILE", .meaning = "a file, a checkpoint folder or a run"},
                      {.name = "FILE2",
                       .meaning = "another one to compare with",
                       .required = false}},
      .options = {{.name = "--json", .value = "", .meaning = "print one JSON object"},
                  {.name = "--only", .value = "TEXT", .meaning = "tensors whose name contains it"},
                  {.name = "--names",
                   .value = "",
                   .meaning = "names, types and shapes alone; no number is read"},
                  {.name = "--hashes", .value = "", .meaning = "list each tensor's SHA-256"}},
      .examples = {{"inspect published.pth", "what is in a downloaded file?"},
                   {"inspect runs/a/checkpoints/last runs/b/checkpoints/last --json",
                    "how far two runs are apart, for scripts"}},
      .run = run};
}

}  // namespace raven::cli
