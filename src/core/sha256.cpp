#include "raven/core/sha256.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "raven/core/error.h"

namespace raven {

struct Sha256::Context {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> handle{EVP_MD_CTX_new(),
                                                                 &EVP_MD_CTX_free};
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  RAVEN_CHECK(context_->handle != nullptr &&
                  EVP_DigestInit_ex(context_->handle.get(), EVP_sha256(), nullptr) == 1,
              "this libcrypto has no SHA-256");
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) {
  RAVEN_CHECK(EVP_DigestUpdate(context_->handle.get(), bytes.data(), bytes.size()) == 1,
              "SHA-256 was already finished");
}

std::string Sha256::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  RAVEN_CHECK(EVP_DigestFinal_ex(context_->handle.get(), digest.data(), &size) == 1,
              "SHA-256 was already finished");
  std::string text;
  for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

std::string sha256(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

std::string sha256_file(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  const auto fail = [&](const char* action) {
    const int code = errno;
    if (descriptor >= 0) ::close(descriptor);
    throw SystemError(fmt::format("cannot {} {}: {}", action, file.string(), std::strerror(code)));
  };
  if (descriptor < 0) fail("open");
  Sha256 hash;
  std::vector<char> block(1 << 20);
  while (true) {
    const auto count = ::read(descriptor, block.data(), block.size());
    if (count == 0) break;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("read");
    hash.update({block.data(), static_cast<std::size_t>(count)});
  }
  ::close(descriptor);
  return hash.hex();
}

}  // namespace raven
