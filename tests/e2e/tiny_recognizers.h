// What tests of finished recognizers need beside runs of `raven finetune`.
#pragma once

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "e2e/finetune_fixture.h"

namespace raven {

class TinyRecognizers : public Finetune {
 protected:
  static std::string test() { return (corpus_->path() / "test" / "manifest.tsv").string(); }

  /// Runs raven; `name` is that of its output, which log() gives.
  int raven(const std::string& name, std::vector<std::string> words) const {
    words.insert(words.begin(), kRaven);
    return Process(words, log(name)).wait();
  }
};

}  // namespace raven
