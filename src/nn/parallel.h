// Loops over Torch's own threads.
#pragma once

#include <cstdint>
#include <functional>

namespace raven::nn {

/// body(i) for i in [0, count), spread over Torch's intra-op threads; returns when all are done.
/// Which thread takes which i is not fixed, so bodies write to places of their own.
void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& body);

}  // namespace raven::nn
