// Whether a file's tensors are those of the model that their shapes tell, found out without that
// model's memory.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "raven/config/model_config.h"
#include "raven/models/recognizer.h"
#include "weights/named_tensors.h"

namespace raven::weights {

/// A small model that stands for one of the sizes that a file claims: each size has its own small
/// number, found again in the shapes of the small model. So a file of a few bytes cannot ask for
/// the memory of a large network, and a large one takes no time to fill with random weights.
class StandIn {
 public:
  /// One block of the encoder and, where there is one, the decoder, which are as wide as each other
  /// where they were (no projection lies between them then).
  models::RecognizerOptions of(const models::RecognizerOptions& model) {
    auto small = model;
    put(small.encoder, model.encoder, /*dim=*/286, /*heads=*/11, /*ffn=*/23);
    put(286 / 11, model.encoder.dim / model.encoder.heads);
    const bool equal = model.decoder.dim == model.encoder.dim;
    put(small.decoder, model.decoder, /*dim=*/equal ? 286 : 52, /*heads=*/13, /*ffn=*/53);
    constexpr std::array<std::int64_t, 4> kWidths = {31, 37, 41, 43};
    for (std::size_t stage = 0; stage < kWidths.size(); ++stage) {
      small.frontend.widths[stage] = put(kWidths[stage], model.frontend.widths[stage]);
    }
    small.units = of_units(model.units);
    return small;
  }
  config::LanguageModelConfig of(const config::LanguageModelConfig& model) {
    auto small = model;
    put(small, model, /*dim=*/102, /*heads=*/17, /*ffn=*/61);
    small.embed_dim = put(59, model.embed_dim);
    return small;
  }
  std::int64_t of_units(std::int64_t units) { return put(47, units); }

  /// A shape of the small model as the large one has it.
  [[nodiscard]] Shape original(Shape shape) const {
    for (auto& size : shape) {
      if (const auto known = original_.find(size); known != original_.end()) size = known->second;
    }
    return shape;
  }

 private:
  std::int64_t put(std::int64_t small, std::int64_t original) {
    original_[small] = original;
    return small;
  }
  template <class Network>
  void put(Network& small, const Network& model, std::int64_t dim, std::int64_t heads,
           std::int64_t ffn) {
    small.blocks = 1;
    small.dim = put(dim, model.dim);
    small.heads = put(heads, model.heads);
    small.ffn_dim = put(ffn, model.ffn_dim);
  }

  std::map<std::int64_t, std::int64_t> original_;  // by the number that stands for it
};

/// Names and shapes must be those of the model that `model` stands for, which has one block where
/// the file has many: `blocks` of each list, "decoder.decoders.". Throws CheckpointError that names
/// the first differences.
void check_names(const NamedTensors& in, const torch::nn::Module& model, const StandIn& stand_in,
                 const std::map<std::string, std::int64_t>& blocks,
                 const std::set<std::string>& may_lack);

}  // namespace raven::weights
