#include "report/lines.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "raven/core/error.h"

namespace raven::report {

std::int64_t for_each_line(const std::filesystem::path& file, std::size_t max_bytes,
                           const std::function<bool(std::string_view)>& see) {
  if (!std::filesystem::is_regular_file(file)) {
    throw SystemError(fmt::format("cannot read {}: it is no file", file.string()));
  }
  struct Closer {
    void operator()(std::FILE* handle) const { std::fclose(handle); }
  };
  const std::unique_ptr<std::FILE, Closer> in(std::fopen(file.c_str(), "rbe"));
  if (!in)
    throw SystemError(fmt::format("cannot open {}: {}", file.string(), std::strerror(errno)));
  std::string buffer(1 << 18, '\0'), line;
  std::int64_t left_out = 0;
  bool too_long = false, more = true;
  const auto end_line = [&] {
    if (too_long) {
      ++left_out;
    } else {
      if (!line.empty() && line.back() == '\r') line.pop_back();
      more = see(line);
    }
    line.clear();
    too_long = false;
  };
  while (more) {
    const auto count = std::fread(buffer.data(), 1, buffer.size(), in.get());
    if (count == 0) break;
    std::string_view rest(buffer.data(), count);
    while (more && !rest.empty()) {
      const auto end = rest.find('\n');
      const auto part = rest.substr(0, end);
      too_long = too_long || line.size() + part.size() > max_bytes;
      if (!too_long) line += part;
      if (end == std::string_view::npos) break;
      end_line();
      rest.remove_prefix(end + 1);
    }
  }
  if (std::ferror(in.get()) != 0) {
    throw SystemError(fmt::format("cannot read {}: {}", file.string(), std::strerror(errno)));
  }
  if (more && (!line.empty() || too_long)) end_line();
  return left_out;
}

}  // namespace raven::report
