#include "raven/media/media.h"

#include <utility>

namespace raven::media {

Source::Source(const std::filesystem::path& file)
    : file_(file), name_(file.string()), in_memory_(false) {}

Source::Source(std::span<const std::byte> bytes, std::string name)
    : bytes_(bytes), name_(std::move(name)), in_memory_(true) {}

}  // namespace raven::media
