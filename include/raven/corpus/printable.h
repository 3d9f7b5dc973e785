// Names of files and speakers as one line of text, under this layer's name.
#pragma once

#include "raven/core/utf8.h"

namespace raven::corpus {

using raven::is_utf8;
using raven::printable;

}  // namespace raven::corpus
