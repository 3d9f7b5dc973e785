// `raven export`
#include <spdlog/fmt/fmt.h>

#include <array>

#include "cli/commands.h"
#include "cli/print.h"
#include "raven/artifacts/model_export.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/sha256.h"
#include "raven/text/units.h"
#include "raven/weights/model_card.h"
#include "raven/weights/npz_writer.h"
#include "raven/weights/pytorch_writer.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDescription =
    "Takes the models out of a run, a checkpoint or a file: the students of pre-training, or the "
    "recognizer of fine-tuning (or its encoder alone). OUT's ending says the format:\n"
    ".safetensors carries configuration, units, normalisation, decoding parameters and the SHA-256 "
    "of each tensor: the file alone suffices.\n"
    ".pth is a flat dict of tensors under the published names, for torch.load(weights_only=True) "
    "and load_state_dict(strict=True); an encoder's names have no prefix. .npz is the same for "
    "NumPy, with bfloat16 as float32. Neither holds metadata: a recognizer's units go beside it "
    "as <name>.units.txt, input and decoding settings as <name>.settings.json, where `raven "
    "import` and whatever else reads the .pth find them.";

constexpr std::array kFormats = {"safetensors", "pth", "npz"};

/// The format that a file's ending names; empty: it is a folder.
std::string format_of(const fs::path& out) {
  const auto ending = out.extension().string();
  if (ending == ".pt") return "pth";
  for (const std::string format : kFormats) {
    if (ending == "." + format && !fs::is_directory(out)) return format;
  }
  if (!ending.empty() && !fs::is_directory(out)) {
    throw ConfigError(
        fmt::format("{}: no format is called '{}', expected .safetensors, .pth or .npz; a folder's "
                    "name ends in /",
                    out.string(), ending));
  }
  return "";
}

std::vector<artifacts::ExportedModel> choose(std::vector<artifacts::ExportedModel> models,
                                             const std::string& part, const std::string& from) {
  if (part.empty()) return models;
  std::vector<std::string> names;
  for (auto& model : models) {
    if (model.name == part) return {std::move(model)};
    names.push_back(model.name);
  }
  if (models.size() == 1 && models.front().name == "recognizer") {
    auto encoder = artifacts::encoder_of(models.front());
    if (part == "encoder" || part == encoder.name) return {std::move(encoder)};
    names.push_back(encoder.name);
  }
  const bool one_encoder = models.size() == 1 && (names[0] == "video" || names[0] == "audio");
  if (part == "encoder" && one_encoder) return models;
  throw ConfigError(fmt::format("--part {}: {} holds {}", part, from, fmt::join(names, " and ")));
}

void write_model(const artifacts::ExportedModel& model, const std::string& format,
                 const fs::path& file) {
  if (format == "safetensors") {
    weights::write_safetensors(file, model.file, {.hashes = true});
  } else if (format == "pth") {
    weights::write_pytorch_archive(file, artifacts::published_names(model));
  } else {
    weights::write_npz(file, artifacts::published_names(model));
  }
}

/// What a format without metadata cannot hold.
void write_beside(const artifacts::ExportedModel& model, const fs::path& file) {
  const auto write = [&](const char* ending, const std::string& text) {
    auto beside = file;
    beside.replace_extension(ending);
    write_file_atomically(beside, text);
    print(beside.string() + "\n");
  };
  if (const auto units = model.file.said("units"); !units.empty())
    write(text::Units::kBeside, units);
  if (model.name != "language_model")
    write(weights::kSettingsBeside,
          weights::settings_text(model.file.metadata, weights::weights_hash(model.file)));
}

ExitCode run(const Arguments& arguments) {
  const auto from = arguments.path("RUN"), out = arguments.path("OUT");
  const auto named = format_of(out);
  auto format = arguments.text("--format");
  if (!named.empty() && !format.empty() && named != format) {
    throw ConfigError(
        fmt::format("--format {}, but {} ends as a file of {}", format, out.string(), named));
  }
  if (format.empty()) format = named.empty() ? "safetensors" : named;
  const auto part = arguments.text("--part");
  const bool half = part == "video" || part == "audio";  // of an encoder for sight and sound
  const auto models = choose(artifacts::read_models(from, half ? part : ""), part, from.string());
  if (!named.empty() && models.size() > 1) {
    throw ConfigError(fmt::format("{} holds {} models; choose one with --part {}, or name a folder",
                                  from.string(), models.size(), models.front().name));
  }
  for (const auto& model : models) {
    const auto file = named.empty() ? out / (model.name + "." + format) : out;
    std::error_code ignored;
    if (fs::equivalent(from, file, ignored)) {
      throw ConfigError(
          fmt::format("{} is the file that is read; name another one", file.string()));
    }
    if (file.has_parent_path()) make_folders(file.parent_path());
    write_model(model, format, file);
    print(fmt::format("{}: {} tensors, sha256 {}\n{}\n", model.name, model.file.tensors.size(),
                      sha256_file(file), file.string()));
    if (format != "safetensors") write_beside(model, file);
  }
  return ExitCode::kDone;
}

}  // namespace

Command make_export_command() {
  return {.name = "export",
          .summary = "hands models on: to safetensors, PyTorch or NumPy",
          .description = kDescription,
          .positionals = {{.name = "RUN",
                           .meaning = "a run, a checkpoint folder, or a .safetensors or .pth file"},
                          {.name = "OUT",
                           .meaning = "file to write, or a folder for <model>.<format>"}},
          .options = {{.name = "--part",
                       .value = "NAME",
                       .meaning = "one model of several; encoder: without heads and decoder",
                       .choices = {"video", "audio", "recognizer", "encoder", "language_model"}},
                      {.name = "--format",
                       .value = "NAME",
                       .meaning = "of files in a folder (safetensors)",
                       .choices = {kFormats.begin(), kFormats.end()}}},
          .examples = {{"export runs/lrs3 weights/", "both encoders of a pre-training run"},
                       {"export runs/vsr30 vsr30.pth", "a recognizer for PyTorch"},
                       {"export runs/vsr30/checkpoints/last encoder.npz --part encoder",
                        "the encoder of the newest checkpoint as NumPy arrays"}},
          .run = run};
}

}  // namespace raven::cli
