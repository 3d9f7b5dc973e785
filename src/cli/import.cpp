// `raven import`
#include <spdlog/fmt/fmt.h>

#include "cli/commands.h"
#include "cli/print.h"
#include "raven/artifacts/model_source.h"
#include "raven/artifacts/vocabulary.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/text/units.h"
#include "raven/train/finetune_task.h"
#include "raven/weights/model_import.h"
#include "raven/weights/weights_file.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;

/// The file that is written: OUT, or one of the usual name in the folder OUT.
fs::path target(const fs::path& out, weights::ModelKind kind) {
  if (!fs::is_directory(out) && out.has_filename()) return out;
  switch (kind) {
    case weights::ModelKind::kRecognizer:
      return out / "recognizer.safetensors";
    case weights::ModelKind::kEncoder:
      return out / "encoder.safetensors";
    case weights::ModelKind::kLanguageModel:
      return out / "language_model.safetensors";
  }
  return out;
}

/// The usual name in a folder is taken once: a second model needs one of its own.
void check_not_taken(const fs::path& to, const weights::ImportedModel& model) {
  if (!fs::exists(to)) return;
  const auto there = weights::read_safetensors_metadata(to);
  const auto said = [&](const std::string& key) {
    const auto found = there.find(key);
    return found == there.end() ? std::string() : found->second;
  };
  if (said(weights::kSourceHash) == weights::sha256_and_verify(*model.file.mapping)) return;
  throw ConfigError(
      fmt::format("{} is there already{}; give this one a name of its own, such as {}", to.string(),
                  said("source").empty() ? "" : ", made of " + said("source"),
                  (to.parent_path() /
                   (fs::path(model.file.metadata.at("source")).stem().string() + ".safetensors"))
                      .string()));
}

ExitCode run(const Arguments& arguments) {
  const auto from = arguments.path("FILE"), out = arguments.path("OUT");
  if (out.empty() && !arguments.flag("--dry-run")) {
    throw ConfigError(
        "raven import: OUT must be given (file to write, or a folder for it), unless --dry-run is; "
        "see 'raven import --help'");
  }
  weights::ImportOptions options{.modality = arguments.text("--modality"),
                                 .licence = arguments.text("--licence"),
                                 .heads = arguments.integer("--heads")};
  auto units_file = arguments.path("--units");
  if (!units_file.empty()) {
    options.units = text::Units::read(units_file).text();
  } else if (const auto units = artifacts::units_beside(from)) {
    units_file = *text::Units::beside(from);
    options.units = units->text();
  }
  artifacts::find_source(from);  // or says what a path may be
  auto model = weights::import_model(from, options);
  print(model.summary + "\n");
  const auto vocabulary = model.file.metadata.find("vocabulary");
  if (!options.units.empty() && vocabulary != model.file.metadata.end()) {
    const auto units = text::Units::parse(options.units, units_file.string()).size();
    const auto found = fmt::format("{} has {} units, but the model has {}", units_file.string(),
                                   units, vocabulary->second);
    const bool fits = fmt::format("{}", units) == vocabulary->second;
    if (!fits && arguments.given("--units")) throw ConfigError("--units " + found);
    if (!fits) model.file.metadata.erase("units");
    model.notes.push_back(fits ? "units of " + units_file.string()
                               : found + "; it was left out, name the right one with --units");
  }
  for (const auto& note : model.notes) print("  " + note + "\n");
  const auto tell = [&](const std::string& source_hash) {
    print(fmt::format("  {} tensors, source sha256 {}\n", model.file.tensors.size(), source_hash));
  };
  const bool dry_run = arguments.flag("--dry-run");
  if (dry_run && out.empty()) {
    tell(weights::sha256_and_verify(*model.file.mapping));
    print("would be written where OUT says\n");
    return ExitCode::kDone;
  }
  const auto to = target(out, model.kind);
  std::error_code ignored;
  if (fs::equivalent(from, to, ignored)) {
    throw ConfigError(fmt::format("{} is the file that is read; name another one", to.string()));
  }
  if (to != out) check_not_taken(to, model);
  if (dry_run) {
    tell(weights::sha256_and_verify(*model.file.mapping));
    print(fmt::format("would write {}\n", to.string()));
    return ExitCode::kDone;
  }
  if (to.has_parent_path()) make_folders(to.parent_path());
  weights::write_imported(to, from, model);
  tell(weights::read_safetensors_metadata(to).at(weights::kSourceHash));
  print(to.string() + "\n");
  return ExitCode::kDone;
}

}  // namespace

Command make_import_command() {
  return {
      .name = "import",
      .summary = "makes raven's own file of published weights, without running them",
      .description =
          "Recognises fine-tuned recognizers, pre-trained encoders (with or without `encoder.`, or "
          "with USR's prefix) and language models by names and shapes, says what it found, and "
          "writes safetensors with configuration, normalisation, decoding parameters, units, "
          "licence, and SHA-256 of the source and of each tensor. Names or shapes that do not fit "
          "are refused.",
      .positionals = {{.name = "FILE", .meaning = "a .pth of PyTorch or a .safetensors file"},
                      {.name = "OUT",
                       .meaning = "file to write, or a folder for it; not needed with --dry-run",
                       .required = false}},
      .options = {{.name = "--dry-run", .value = "", .meaning = "tell, but write nothing"},
                  {.name = "--units",
                   .value = "FILE",
                   .meaning = "units of a recognizer or language model, as published; else "
                              "<FILE's name>.units.txt or units.txt beside it",
                   .kind = ValueKind::kFile},
                  {.name = "--modality",
                   .value = "NAME",
                   .meaning = "which half of an encoder for sight and sound",
                   .choices = {"video", "audio"}},
                  {.name = "--heads",
                   .value = "N",
                   .meaning = "attention heads of decoder or language model, which shapes do not "
                              "tell; 0: 64 channels each, as published; of a decoder as many "
                              "as the encoder's, where these are not 64 wide",
                   .kind = ValueKind::kInteger,
                   .default_value = "0",
                   .range = config::between(0, 1024)},
                  {.name = "--licence",
                   .value = "TEXT",
                   .meaning = "under which the weights were published; kept in the file"}},
      .examples = {{"import vsr_large.pth recognizer.safetensors --units unigram1000_units.txt",
                    "a fine-tuned model, ready to decode"},
                   {"import pretrained_video.pth --dry-run", "what is it, and would it fit?"}},
      .run = run};
}

}  // namespace raven::cli
