// The bounds of a pickled tensor within its storage.
#pragma once

#include <string>

#include "weights/pickle.h"

namespace raven::weights {

/// Empty: every element of `view` lies in `storage`, and the tensor's bytes can be counted.
std::string view_problem(const PickleTensor& view, const PickleStorage& storage);

}  // namespace raven::weights
