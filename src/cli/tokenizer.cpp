// `raven tokenizer train|encode|decode`
#include "raven/text/tokenizer.h"

#include <spdlog/fmt/fmt.h>

#include <charconv>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <utility>

#include "cli/commands.h"
#include "cli/print.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/lines.h"
#include "raven/core/log.h"
#include "raven/core/utf8.h"
#include "raven/data/manifest.h"
#include "raven/text/normalise.h"
#include "raven/text/tokenizer_training.h"
#include "raven/text/words.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;

/// The lines of a text file, or the transcripts of a manifest.
std::vector<std::string> read_lines(const fs::path& file) {
  std::vector<std::string> lines;
  if (file.extension() == ".csv") {
    throw ConfigError(fmt::format(
        "{}: a published list holds unit ids, no text; name a manifest.tsv or a text file",
        file.string()));
  }
  if (file.extension() == ".tsv") {
    for (auto& utterance : data::read_manifest(file).utterances)
      lines.push_back(std::move(utterance.text));
    return lines;
  }
  if (!fs::exists(file)) throw ConfigError(fmt::format("there is no file {}", file.string()));
  const auto content = read_file(file, kMaxFileBytesByDefault, FileKind::kAny);
  for (Lines reader(content, file.string()); const auto line = reader.next();) {
    lines.emplace_back(*line);
    if (!is_utf8(lines.back())) {
      throw DataError(fmt::format("{}:{}: is not UTF-8 text", file.string(), lines.size()), "text");
    }
  }
  return lines;
}

ExitCode train(const Arguments& arguments) {
  text::CharacterReport report;
  std::vector<std::string> lines;
  std::size_t empty = 0, words = 0;
  for (const auto& input : arguments.list("INPUT")) {
    for (const auto& line : read_lines(input)) {
      auto normalised = text::normalise(line, &report);
      words += text::split_words(normalised).size();
      if (normalised.empty()) {
        ++empty;
      } else {
        lines.push_back(std::move(normalised));
      }
    }
  }
  if (empty > 0) log::info("{} lines without words are left out", empty);
  if (!report.replaced.empty()) log::info("became blanks: {}", text::describe(report.replaced));
  if (!report.kept.empty()) {
    log::warn("outside A-Z, 0-9 and apostrophe, become part of the vocabulary: {}",
              text::describe(report.kept));
  }
  const auto model = text::train_sentencepiece(
      lines, {.kind = text::vocabulary_kind(arguments.text("--kind")),
              .size = arguments.given("--size") ? arguments.integer("--size") : 0});
  const auto prefix = arguments.text("--out");
  const fs::path model_file = prefix + ".model", units_file = prefix + "_units.txt";
  const auto tokenizer = text::make_sentencepiece_tokenizer(model, model_file.string());
  if (fs::path(prefix).has_parent_path()) make_folders(fs::path(prefix).parent_path());
  write_file_atomically(model_file, model);
  write_file_atomically(units_file, tokenizer->units().text());
  print(fmt::format("{} lines, {} words, {} units (with blank, unk and eos)\n{}\n{}\n",
                    lines.size(), words, tokenizer->units().size(), model_file.string(),
                    units_file.string()));
  return ExitCode::kDone;
}

std::unique_ptr<text::Tokenizer> tokenizer_of(const Arguments& arguments) {
  return text::make_tokenizer(
      {.units_file = arguments.path("--units"), .model_file = arguments.path("--model")});
}

/// The arguments, each a line, or else the lines of standard input.
std::vector<std::string> given_lines(const Arguments& arguments, const std::string& name) {
  auto lines = arguments.list(name);
  if (!lines.empty()) return lines;
  for (std::string line; std::getline(std::cin, line);) lines.push_back(line);
  return lines;
}

ExitCode encode(const Arguments& arguments) {
  const auto tokenizer = tokenizer_of(arguments);
  text::CharacterReport report;
  for (const auto& line : given_lines(arguments, "TEXT")) {
    std::string out;
    for (const auto id : tokenizer->encode(text::normalise(line, &report))) {
      out += out.empty() ? "" : " ";
      out += arguments.flag("--pieces") ? tokenizer->units().piece(id) : std::to_string(id);
    }
    print_content(out + "\n");
  }
  if (!report.kept.empty())
    log::warn("outside A-Z, 0-9 and apostrophe: {}", text::describe(report.kept));
  return ExitCode::kDone;
}

ExitCode decode(const Arguments& arguments) {
  const auto tokenizer = tokenizer_of(arguments);
  auto lines = arguments.list("ID");
  if (!lines.empty()) {  // ids as single arguments are one line
    std::string joined;
    for (const auto& argument : lines) joined += argument + " ";
    lines = {joined};
  } else {
    lines = given_lines(arguments, "ID");
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::vector<std::int64_t> ids;
    for (const auto word : text::split_words(lines[i])) {
      std::int64_t id = 0;
      const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
      if (error != std::errc() || end != word.data() + word.size()) {
        throw DataError(
            fmt::format("line {}: '{}' is not a unit id", i + 1, printable(word.substr(0, 40))),
            "vocabulary");
      }
      ids.push_back(id);
    }
    try {
      print_content(tokenizer->units().detokenise(ids) + "\n");
    } catch (const DataError& error) {
      throw DataError(fmt::format("line {}: {}", i + 1, error.what()), error.reason());
    }
  }
  return ExitCode::kDone;
}

std::vector<Option> vocabulary_options() {
  return {{.name = "--model",
           .value = "FILE",
           .meaning = "SentencePiece model, or for a published units file its counts (.json) or "
                      "label list (.csv)",
           .kind = ValueKind::kFile},
          {.name = "--units",
           .value = "FILE",
           .meaning = "units file, one '<piece> <index>' a line; a SentencePiece model needs none",
           .kind = ValueKind::kFile}};
}

Command train_command() {
  return {
      .name = "train",
      .summary = "learns a SentencePiece vocabulary from transcripts",
      .description =
          "Writes PREFIX.model and PREFIX_units.txt. Text is normalised as everywhere "
          "(docs/scoring.md): upper case, A-Z, 0-9 and apostrophe, punctuation as blanks. Pieces "
          "never cross words. The same text gives the same bytes.",
      .positionals = {{.name = "INPUT",
                       .meaning = "manifests (.tsv), or text files with one sentence a line",
                       .repeated = true}},
      .options = {{.name = "--out",
                   .value = "PREFIX",
                   .meaning = "where to write: PREFIX.model and PREFIX_units.txt",
                   .kind = ValueKind::kFile,
                   .required = true},
                  {.name = "--kind",
                   .value = "KIND",
                   .meaning = "what pieces are",
                   .default_value = "unigram",
                   .choices = {"unigram", "char", "word"}},
                  {.name = "--size",
                   .value = "N",
                   .meaning =
                       "units to learn, <unk> among them; blank and eos come on top; else "
                       "1000 for unigram, every character or word of the text for the others",
                   .kind = ValueKind::kInteger,
                   .range = config::between(2, 1e6)}},
      .examples = {{"tokenizer train data/lrs3/trainval.tsv --out data/unigram1000",
                    "1,000 pieces from the labelled part"},
                   {"tokenizer train sentences.txt --out chars --kind char",
                    "characters, from a text file"}},
      .run = train};
}

Command encode_command() {
  auto options = vocabulary_options();
  options.push_back({.name = "--pieces", .value = "", .meaning = "print pieces instead of ids"});
  return {.name = "encode",
          .summary = "turns text into unit ids",
          .description = "One line of ids for each TEXT, or for each line of standard input.",
          .positionals = {{.name = "TEXT",
                           .meaning = "sentences, each in quotes",
                           .kind = ValueKind::kText,
                           .required = false,
                           .repeated = true}},
          .options = std::move(options),
          .examples = {{"tokenizer encode --model data/unigram1000.model \"It's a beginning.\"",
                        "with a trained model"},
                       {"tokenizer encode --units unigram1000_units.txt --model "
                        "unigram1000_counts.json --pieces \"HELLO WORLD\"",
                        "with the published vocabulary and counts of its units"}},
          .run = encode};
}

Command decode_command() {
  return {.name = "decode",
          .summary = "turns unit ids into text",
          .description =
              "The ids given are one utterance; without any, each line of standard input is one. "
              "The end of the utterance (eos) is dropped.",
          .positionals = {{.name = "ID",
                           .meaning = "unit ids",
                           .kind = ValueKind::kText,
                           .required = false,
                           .repeated = true}},
          .options = vocabulary_options(),
          .examples = {{"tokenizer decode --units unigram1000_units.txt 279 662 758",
                        "with a published units file alone"},
                       {"tokenizer decode --model data/unigram1000.model < ids.txt",
                        "one utterance a line"}},
          .run = decode};
}

}  // namespace

Command make_tokenizer_command() {
  return {.name = "tokenizer",
          .summary = "vocabularies: train, encode, decode",
          .description = "",
          .examples = {{"tokenizer train data/lrs3/trainval.tsv --out data/unigram1000",
                        "learn a vocabulary"},
                       {"tokenizer encode --model data/unigram1000.model \"HELLO WORLD\"",
                        "what does a sentence become?"}},
          .children = {train_command(), encode_command(), decode_command()}};
}

}  // namespace raven::cli
