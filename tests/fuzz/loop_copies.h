// The copies of a loop that this processor can run.
#pragma once

#include <vector>

#include "nn/kernels/instruction_set.h"

namespace raven::fuzz {

template <class Loops>
std::vector<Loops> runnable(const Loops& generic, const Loops& avx2, const Loops& avx512) {
  using nn::kernels::InstructionSet;
  const auto best = nn::kernels::best_instruction_set();
  std::vector<Loops> copies = {generic};
  if (best >= InstructionSet::kAvx2) copies.push_back(avx2);
  if (best >= InstructionSet::kAvx512) copies.push_back(avx512);
  return copies;
}

}  // namespace raven::fuzz
