// Tensors of golden files, named "case/tensor".
#pragma once

#include <map>
#include <string>

#include "raven/weights/safetensors.h"
#include "support/parity.h"

namespace raven::parity {

inline weights::TensorFile tensors(const std::string& name) {
  return weights::read_safetensors(path(name));
}

}  // namespace raven::parity
