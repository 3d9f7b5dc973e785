// The slow copy of a student: how it starts, how it follows, how it runs.
#pragma once

#include <torch/torch.h>

#include "raven/config/pretrain_config.h"

namespace raven::models {

/// Copies every parameter and buffer, and turns the teacher's gradients off. Throws InternalError
/// when the two are not built alike.
void start_as_copy(torch::nn::Module& teacher, const torch::nn::Module& student);

/// teacher <- momentum * teacher + (1 - momentum) * student for learnable parameters, paired by
/// name; running statistics are the teacher's own. `momentum`: () float64, `bad`: () float32, both
/// on the device; where `bad` is 1, the teacher stays as it is. Nothing waits for the device.
/// Throws as above.
void follow(torch::nn::Module& teacher, const torch::nn::Module& student,
            const torch::Tensor& momentum, const torch::Tensor& bad = {});

/// The running statistics of the student's BatchNorms become the teacher's: what a teacher in eval
/// mode normalises with, since its own never move. `bad` as above.
void take_statistics(torch::nn::Module& teacher, const torch::nn::Module& student,
                     const torch::Tensor& bad = {});

/// The running statistics move towards the student's as `follow` moves parameters; the count of
/// batches is the student's.
void follow_statistics(torch::nn::Module& teacher, const torch::nn::Module& student,
                       const torch::Tensor& momentum, const torch::Tensor& bad = {});

/// For a teacher in train mode: dropout, drop-path and BatchNorm as `options` say.
void set_teacher_mode(torch::nn::Module& teacher, const config::TeacherConfig& options);

/// For a teacher that stands still: BatchNorm in train mode uses the batch's statistics and leaves
/// the running ones as they are.
void fix_statistics(torch::nn::Module& teacher);

}  // namespace raven::models
