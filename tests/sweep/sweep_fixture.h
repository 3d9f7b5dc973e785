// Sweeps whose runs are played by a script.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/sweep/runs.h"
#include "support/temporary_folder.h"

namespace raven::sweep {

namespace fs = std::filesystem;

class Sweeps : public testing::Test {
 protected:
  using Run = sweep::Run;  // not testing::Test's

  [[nodiscard]] fs::path dir() const { return temporary_.path() / "sweep"; }

  [[nodiscard]] config::SweepConfig sweep(const std::string& rest) const {
    return config::read_sweep_text(
        "stage: pretrain\ndir: '" + dir().string() + "'\noverrides: [data.manifest=a.tsv]\n" + rest,
        "masks.yaml");
  }
  std::vector<Run> runs(const std::string& rest) const { return runs_of(sweep(rest)); }

  /// As if the run had been started with `config`.
  static void begin(const Run& run, const config::FlatConfig& config) {
    std::string json;
    for (const auto& [key, value] : config)
      json += (json.empty() ? "{\"" : ",\n\"") + key + "\": \"" + value + "\"";
    make_folders(run.folder);
    write_file_atomically(run.folder / "config.json", json + "}\n");
  }

  /// A program for runs: `body` is sh, with the run's folder in $dir and its name in $name.
  [[nodiscard]] fs::path program(const std::string& body) const {
    const auto file = temporary_.path() / "program.sh";
    write_file_atomically(file,
                          "#!/bin/sh\nfor word; do case $word in run.dir=*) dir=${word#run.dir=}; "
                          "esac; done\nname=${dir##*/}\n" +
                              body);
    fs::permissions(file, fs::perms::owner_all);
    return file;
  }

  static std::string content(const fs::path& file) {
    return fs::exists(file) ? read_file(file) : "";
  }

  TemporaryFolder temporary_;
};

}  // namespace raven::sweep
