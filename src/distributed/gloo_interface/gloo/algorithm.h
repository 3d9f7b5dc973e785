// LibTorch's package has Gloo inside, but not the headers that its ProcessGroupGloo.hpp includes.
// These declare the types that it names, as far as it uses them; nothing here is ever called but
// through LibTorch.
#pragma once

#include <gloo/context.h>
