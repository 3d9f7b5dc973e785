#include "raven/train/batch.h"

namespace raven::train {

Batch ClipSource::next() {
  auto batch = loader_.next();
  RAVEN_CHECK(batch.has_value(), "the training data came to an end");
  const auto frames = batch->num_frames();
  return {std::move(*batch), frames};
}

}  // namespace raven::train
