// What the networks take of a batch.
#pragma once

#include <torch/torch.h>

#include "raven/data/sample.h"
#include "raven/models/encoder.h"
#include "raven/models/raven.h"
#include "raven/models/recognizer.h"

namespace raven::models {

/// Pre-training: normalised pixels, 0 where there is no frame; samples as (B, N, 1).
PretrainInput pretrain_input(const data::Batch& batch);

/// Of an encoder, from a batch on the device: video (B, T, h, w) normalised, 0 where frames are
/// masked or beyond the end; audio (B, N, 1).
torch::Tensor encoder_input(const data::Batch& batch, Modality modality);

/// A batch's transcripts.
Labels labels_of(const data::Batch& batch);

}  // namespace raven::models
