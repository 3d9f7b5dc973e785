// How much memory a training command needs at its peak.
//
// Note [Where the peak is]
// A step goes through phases: targets of the teachers (or the frozen part), then for each student a
// forward pass, in which autograd saves more and more, and a backward pass, which frees it layer by
// layer while gradients of weights grow, then the update, with all gradients. The peak is the
// largest sum over all layers in this order. On a CPU, LibTorch's own memory is added, and freed
// blocks that the C library's heap has not given back.
#pragma once

#include <string>
#include <vector>

#include "raven/plan/networks.h"

namespace raven::plan {

/// Constants that shapes do not tell; measured (tests/bench/RESULTS.md, "Plan") where not said
/// otherwise.
struct Measured {
  /// What a raven process has resident beside its tensors after some steps when the C library gives
  /// each freed block back (MALLOC_MMAP_THRESHOLD_=65536): program, LibTorch, its operators' code
  /// and thread stacks, oneDNN's and MKL's buffers. Nearly the same for small and large networks.
  double program = 0;
  /// What comes on top without that setting: freed memory that the C library's heap keeps between
  /// blocks, as a share of activations and gradients. It was between 0.23 and 0.41.
  double heap_share = 0;
  /// A loader thread with its decoders. Not measured.
  double loader_thread = 0;
  /// CUDA's own on a GPU: context, kernels, cuDNN and cuBLAS workspaces. Not measured.
  double cuda_context = 0;
};
const Measured& measured();

/// What a run holds beside the tensors of one batch.
struct RunNeeds {
  double batches = 0;                // bytes that the loader holds at once; not on a GPU
  std::int64_t threads = 0;          // of the loader
  std::int64_t accumulate = 1;       // batches a step, of one rank
  double cached_features = 0;        // bytes, on the host
  double snapshot = 0;               // bytes of a checkpoint that is written while training goes on
  double gradient_bytes = 4;         // of a parameter: 8 where gradients are summed in float64
  std::int64_t optimizer_parts = 1;  // ranks that share the optimiser's averages
};

struct Memory {
  double weights = 0;  // of everything but teachers, with running statistics
  double teachers = 0;
  double optimizer = 0;    // both averages of AdamW
  double gradients = 0;    // at the peak
  double activations = 0;  // at the peak: held by autograd, worked with, inputs, targets
  double loader = 0;       // batches and threads
  double features = 0;     // cached, of a frozen part
  double snapshot = 0;     // of a checkpoint that is being written; CPU
  double heap = 0;         // between blocks; CPU
  double program = 0;      // LibTorch and raven on a CPU, the CUDA context on a GPU
  std::string peak;        // the phase: "video student, backward"

  [[nodiscard]] double tensors() const {
    return weights + teachers + optimizer + gradients + activations;
  }
  [[nodiscard]] double total() const {
    return tensors() + loader + features + snapshot + heap + program;
  }
};

/// `held_out`: the networks at the shape of a held-out batch; null: there is no evaluation.
Memory memory_of(const Networks& networks, const Networks* held_out, const Arithmetic& arithmetic,
                 const RunNeeds& run);

}  // namespace raven::plan
