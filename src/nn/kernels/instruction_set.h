// Copies of a loop for several instruction sets, and which of them this machine runs.
#pragma once

/// Where a source of loops is compiled: what it calls this copy of `name`, as kLoops -> kLoopsAvx2.
#define RAVEN_JOIN(name, set) name##set
#define RAVEN_JOIN_EXPANDED(name, set) RAVEN_JOIN(name, set)
#define RAVEN_COPY_OF(name) RAVEN_JOIN_EXPANDED(name, RAVEN_INSTRUCTION_SET)

namespace raven::nn::kernels {

/// Each one has what those before it have.
enum class InstructionSet { kGeneric, kAvx2, kAvx512 };

InstructionSet best_instruction_set();

/// The copy that was compiled for the best instruction set of this machine.
template <class Loops>
const Loops& best_of(const Loops& generic, const Loops& avx2, const Loops& avx512) {
  switch (best_instruction_set()) {
    case InstructionSet::kAvx512:
      return avx512;
    case InstructionSet::kAvx2:
      return avx2;
    default:
      return generic;
  }
}

}  // namespace raven::nn::kernels
