// How transcripts become units, wherever a stage learns from them.
#pragma once

#include <string>

#include "raven/config/fields.h"

namespace raven::config {

struct TextConfig {
  std::string units;
  std::string model;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("units", &TextConfig::units,
            "units file (`<piece> <index>` lines, as published); empty: that of text.model");
    v.field("model", &TextConfig::model,
            "how text becomes units: a .model of `raven tokenizer train`, or a .json of unit "
            "counts for a published units file; empty: the manifest lists unit ids");
  }
};

}  // namespace raven::config
