#include "raven/weights/safetensors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "weights/safetensors_header.h"

namespace raven::weights {
namespace {

namespace fs = std::filesystem;

class Descriptor {
 public:
  Descriptor(const fs::path& file, int flags) : file_(file.string()) {
    value_ = ::open(file.c_str(), flags | O_CLOEXEC, 0644);
    if (value_ < 0) fail((flags & O_CREAT) != 0 ? "create" : "open");
  }
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  [[nodiscard]] std::uint64_t size() const {
    struct stat status {};
    if (::fstat(value_, &status) != 0) fail("read");
    if (!S_ISREG(status.st_mode)) throw CheckpointError(file_ + ": is not a regular file");
    return static_cast<std::uint64_t>(status.st_size);
  }
  void read(char* to, std::uint64_t count, std::uint64_t from) const {
    while (count > 0) {
      const auto done = ::pread(value_, to, count, static_cast<off_t>(from));
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) fail("read");
      if (done == 0) throw CheckpointError(file_ + ": became shorter while it was read");
      const auto bytes = static_cast<std::uint64_t>(done);
      to += bytes, from += bytes, count -= bytes;
    }
  }
  void write(std::string_view bytes) const {
    while (!bytes.empty()) {
      const auto done = ::write(value_, bytes.data(), bytes.size());
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) fail("write");
      bytes.remove_prefix(static_cast<std::size_t>(done));
    }
  }
  void close() {
    const int value = std::exchange(value_, -1);
    if (::close(value) != 0) fail("write");
  }

 private:
  [[noreturn]] void fail(const char* action) const {
    const int code = errno;
    const bool full = code == ENOSPC || code == EDQUOT;
    if (code == ENOENT && std::strcmp(action, "open") == 0) {
      throw CheckpointError(file_ + ": no such file");
    }
    throw SystemError(fmt::format("cannot {} {}: {}{}", action, file_, std::strerror(code),
                                  full ? "; free some space and run again" : ""));
  }

  std::string file_;
  int value_ = -1;
};

torch::Tensor empty_tensor(const TensorPlace& place) {
  return torch::empty(place.shape, torch::TensorOptions().dtype(place.type));
}

SafetensorsHeader read_header(const Descriptor& in, const std::string& source,
                              std::uint64_t& data_start) {
  const auto file_bytes = in.size();
  std::string text(std::min(kLengthBytes, file_bytes), '\0');
  in.read(text.data(), text.size(), 0);
  const auto length = safetensors_header_length(text, file_bytes, source);
  text.resize(length);
  in.read(text.data(), length, kLengthBytes);
  data_start = kLengthBytes + length;
  return parse_safetensors_header(text, file_bytes - data_start, source);
}

std::string_view bytes_of(const torch::Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()};
}

/// Order of the data: large elements first, so that every tensor is aligned to its element.
std::vector<std::size_t> data_order(const TensorFile& content) {
  std::vector<std::size_t> order(content.tensors.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return content.tensors[a].second.element_size() > content.tensors[b].second.element_size();
  });
  return order;
}

}  // namespace

const torch::Tensor& TensorFile::at(const std::string& name) const {
  for (const auto& [known, tensor] : tensors) {
    if (known == name) return tensor;
  }
  throw CheckpointError(fmt::format("no tensor '{}' among {}", name, tensors.size()));
}

TensorFile read_safetensors(const fs::path& file) {
  const auto source = file.string();
  const Descriptor in(file, O_RDONLY);
  std::uint64_t start = 0;
  auto header = read_header(in, source, start);
  TensorFile content;
  content.metadata = std::move(header.metadata);
  for (const auto& place : header.places) {
    auto tensor = empty_tensor(place);
    in.read(static_cast<char*>(tensor.mutable_data_ptr()), place.end - place.begin,
            start + place.begin);
    content.tensors.emplace_back(place.name, std::move(tensor));
  }
  return content;
}

TensorFile parse_safetensors(std::string_view bytes, const std::string& source) {
  const auto length = safetensors_header_length(bytes, bytes.size(), source);
  const auto data = bytes.substr(kLengthBytes + length);
  auto header = parse_safetensors_header(bytes.substr(kLengthBytes, length), data.size(), source);
  TensorFile content;
  content.metadata = std::move(header.metadata);
  for (const auto& place : header.places) {
    auto tensor = empty_tensor(place);
    const auto part = data.substr(place.begin, place.end - place.begin);
    if (!part.empty()) std::memcpy(tensor.mutable_data_ptr(), part.data(), part.size());
    content.tensors.emplace_back(place.name, std::move(tensor));
  }
  return content;
}

std::map<std::string, std::string> read_safetensors_metadata(const fs::path& file) {
  const Descriptor in(file, O_RDONLY);
  std::uint64_t start = 0;
  return read_header(in, file.string(), start).metadata;
}

void write_safetensors(const fs::path& file, const TensorFile& content) {
  SafetensorsHeader header;
  header.metadata = content.metadata;
  for (const auto& [name, tensor] : content.tensors) {
    header.places.push_back(
        {.name = name, .type = tensor.scalar_type(), .shape = tensor.sizes().vec()});
  }
  const auto order = data_order(content);
  std::uint64_t next = 0;
  for (const auto i : order) {
    header.places[i].begin = next;
    header.places[i].end = next += content.tensors[i].second.nbytes();
  }
  const auto text = safetensors_header_text(header);
  const std::uint64_t length = text.size();
  std::string length_bytes(kLengthBytes, '\0');
  std::memcpy(length_bytes.data(), &length, kLengthBytes);
  replace_file(file, [&](const fs::path& temporary) {
    Descriptor out(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    out.write(length_bytes);
    out.write(text);
    for (const auto i : order) out.write(bytes_of(content.tensors[i].second.cpu().contiguous()));
    out.close();
  });
}

}  // namespace raven::weights
